"""What the gateway adds to a model request: the same requests through it and past it, in turns.

`python -m tests.bench.gateway URL FILE` opens a door before the API there, in a process of its own as the service has
one, prints its address and token, and ends with its input.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from app.database import Database, sqlite_url
from app.results import Account
from app.services.gateway.client import GatewayClient
from app.services.gateway.till import Ceilings
from app.services.store.client import DatabaseStore
from tests.bench.measurements import Measurement
from tests.bench.numbers import percentile
from tests.fakes.messages_api import API_KEY, MessagesApi
from tests.fakes.scripts import Reply, always

_ROUNDS = 150
_SIZES = {"of 60 kB, as a session begins": 1, "of 600 kB, in a long conversation": 150}
_MODEL_THINKS_S = 0.05


@dataclass(frozen=True)
class _Taken:
    """Milliseconds to the first byte of an answer, and to its last."""

    first: float
    last: float


def measure() -> list[Measurement]:
    """One request at a time on a warm connection; what is spent goes to a SQLite file, as in the service."""
    rows: list[Measurement] = []
    with (
        MessagesApi(always(Reply("Done. " * 60)), first_token_s=_MODEL_THINKS_S) as api,
        _serving(api) as (url, token),
        httpx.Client(trust_env=False) as client,
    ):
        for size, turns in _SIZES.items():
            body = json.dumps(_body(turns)).encode()
            through, direct = [], []
            for _ in range(_ROUNDS):
                through.append(_ask(client, url, token, body))
                direct.append(_ask(client, api.url, API_KEY, body))
            rows += _compared(size, through[5:], direct[5:])
    return rows


@contextmanager
def _serving(api: MessagesApi) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as directory:
        argv = [sys.executable, "-m", "tests.bench.gateway", api.url, str(Path(directory) / "auto-code.db")]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url, token = process.stdout.readline().split()
            yield url, token
            process.communicate()


async def serve(api_url: str, file: str) -> None:
    """See the module."""
    store = DatabaseStore(database=Database(url=sqlite_url(Path(file))))
    await store.start()
    gateway = GatewayClient(
        base_url=api_url,
        credential=lambda: ("ANTHROPIC_API_KEY", SecretStr(API_KEY)),
        ledger=store,
        ceilings=Ceilings(ticket_usd=1_000_000, day_usd=1_000_000),
    )
    await gateway.start()
    door = await gateway.open("session")
    door.begin(Account(ticket="PROJ-1", run_id="run-1"))
    print(door.url, door.token, flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    await gateway.stop()
    await store.stop()


def _body(turns: int) -> dict[str, Any]:
    """As the CLI asks: tools and system of 55 kB, then turns with a tool's result of 3.5 kB."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Implement ticket PROJ-1."}]
    for number in range(turns):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "Read", "input": {"file_path": "a.py"}}
        found = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "x = 1  # why\n" * 270}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [found]}]
    system = [{"type": "text", "text": "You are an engineer. " * 2_600}]
    return {"model": "claude-sonnet-4-6", "max_tokens": 32_000, "stream": True, "system": system, "messages": messages}


def _ask(client: httpx.Client, url: str, key: str, body: bytes) -> _Taken:
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "accept-encoding": "identity"}
    request = client.build_request("POST", f"{url}/v1/messages?beta=true", content=body, headers=headers)
    began = time.perf_counter()
    pieces = client.send(request, stream=True).iter_raw()
    next(pieces)
    first = time.perf_counter()
    for _ in pieces:
        pass
    return _Taken((first - began) * 1000, (time.perf_counter() - began) * 1000)


def _compared(size: str, through: list[_Taken], direct: list[_Taken]) -> list[Measurement]:
    bench = f"model request {size}, through the gateway against past it"
    rows = []
    for what, percent, aim in (("first", 50, "≤ 5 ms more"), ("first", 99, ""), ("last", 50, "")):
        ours, other = (percentile([getattr(each, what) for each in side], percent) for side in (through, direct))
        label = f"{what} byte, p{percent} of {len(through)}: {ours - other:+.1f} ms"
        rows.append(Measurement(bench, label, f"{ours:.1f} ms", f"{other:.1f} ms", ours / other, aim))
    return rows


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
