"""A service in which a conversation goes on at the pace that it is told: the real app and store, and nobody at work.

`python -m tests.bench.feed FD WORKSPACE RUN` serves on a listening socket that it inherits. Each line of its standard
input, `COUNT RATE`, lets so many events come, so many a second (0: as fast as they are written). It answers each with a
line: when each of them was there, in seconds since the epoch, by its mark.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import uvicorn

from app.config import load_settings
from app.database import Database, sqlite_url
from app.main import create_app
from app.models import EventKind
from app.services.github.mock_client import MockRepositories
from app.services.runner.mock_client import MockRunner
from app.services.store.base import Store
from app.services.store.client import DatabaseStore
from app.services.tracker.null_client import NoTracker
from tests.flows.service import ACCESS_CODE


@dataclass(frozen=True)
class Feed:
    """Such a service in a process of its own."""

    port: int
    _process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        """Of the service's process."""
        return self._process.pid

    def send(self, *, events: int, rate: float = 0) -> dict[str, float]:
        """Let events come, and return when each mark was written; the next ones have marks of their own."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(events, rate, file=self._process.stdin, flush=True)
        written: dict[str, float] = json.loads(self._process.stdout.readline())
        return written


@contextmanager
def feeding(workspace: Path, run: str) -> Iterator[Feed]:
    """The service over the database of this workspace, whose run goes on; as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        argv = [sys.executable, "-m", "tests.bench.feed", str(listener.fileno()), str(workspace), run]
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, pass_fds=[listener.fileno()], stdin=pipe, stdout=pipe, text=True) as process:
            try:
                yield Feed(listener.getsockname()[1], process)
            finally:
                process.kill()


async def _serve(descriptor: int, workspace: Path, run: str) -> None:
    store = DatabaseStore(database=Database(url=sqlite_url(workspace / "auto-code.db")))
    runner = MockRunner(store=store, tracker=NoTracker(), repositories=MockRepositories())
    settings = load_settings(_env_file=None, admin_access_code=ACCESS_CODE, log_level="error")
    server = uvicorn.Server(uvicorn.Config(create_app(settings, runner), log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[socket.socket(fileno=descriptor)]))
    numbers = count(1)
    while line := await asyncio.to_thread(sys.stdin.readline):
        events, rate = line.split()
        print(json.dumps(await _send(store, run, numbers, int(events), float(rate))), flush=True)  # noqa: T201
    serving.cancel()


async def _send(store: Store, run: str, numbers: Iterator[int], events: int, rate: float) -> dict[str, float]:
    """Words, calls and results, in turns; by their marks, when they were on disk."""
    written = {}
    began = time.monotonic()
    for number in range(events):
        if rate:
            await asyncio.sleep(began + number / rate - time.monotonic())
        mark = f"mark{next(numbers):04d}"
        await store.append(run, *_event(number, mark))
        written[mark] = time.time()
    return written


def _event(number: int, mark: str) -> tuple[EventKind, dict[str, object]]:
    kind = number % 4
    if kind == 0:
        return EventKind.TEXT, {"text": f"The rows of {mark} are whole, and **their** tests pass.", "role": "author"}
    call = {"id": mark, "role": "author"}
    if kind == 1:
        return EventKind.TOOL_CALLED, {**call, "name": "Bash", "input": {"command": f"uv run pytest {mark}"}}
    if kind == 2:
        return EventKind.TOOL_CALLED, {**call, "name": "Read", "input": {"file_path": f"billing/{mark}.py"}}
    return EventKind.TOOL_CALLED, {**call, "name": "Grep", "input": {"pattern": mark}}


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
