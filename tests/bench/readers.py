"""200 readers of one live conversation in one process of the service, over HTTP: from an event on disk to each.

`python -m tests.bench.readers PORT PATH COUNT` are readers in a process of their own: connections that note when a mark
came, and do nothing else, since browsers would be most of what is measured. They say a line when all of them read.
They print when each of them saw which mark, once all have seen the one that a line of their standard input names.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.bench.feed import Feed, feeding
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import percentile
from tests.flows.service import ACCESS_CODE
from tests.journeys.seeding import seeding
from tests.journeys.stories import long

_KEY = "BILL-1"
_READERS = 200
_RATE, _EVENTS = 10.0, 200
_WARM_UP = 30
_PATIENCE_S = 30.0
_CODE = {"Authorization": f"Bearer {ACCESS_CODE}"}


def measure() -> list[Measurement]:
    """Readers of the page's stream, then of the API's."""
    with TemporaryDirectory(prefix="ac-") as directory:
        with seeding(Path(directory)) as past:
            run = long(past, _KEY, events=1_000, ended=False).run
        with feeding(Path(directory), run) as feed:
            of_page = _watched("a conversation's page", feed, _stream_of_page(feed))
        with feeding(Path(directory), run) as feed:
            of_run = _watched(
                "the API's stream of its run", feed, f"/api/v1/runs/{run}/events?after={_last(feed, run)}"
            )
    return [*of_page, *of_run]


def _stream_of_page(feed: Feed) -> str:
    """The address that an open page reads from."""
    page = _get(feed, f"/code-runs/{_KEY}").text
    live, after = re.search(r'data-live="([^"]+)"', page), re.search(r'data-after="(\d+)"', page)
    assert live is not None
    assert after is not None
    return f"{live[1]}&after={after[1]}"


def _last(feed: Feed, run: str) -> int:
    last, more = 0, True
    while more:
        found = _get(feed, f"/api/v1/runs/{run}/events?after={last}&limit=1000").json()
        last, more = found["next"], bool(found["events"])
    return last


def _get(feed: Feed, path: str) -> httpx.Response:
    url = f"http://127.0.0.1:{feed.port}{path}"
    return httpx.get(url, headers=_CODE, trust_env=False, timeout=30).raise_for_status()


def _watched(what: str, feed: Feed, path: str) -> list[Measurement]:
    feed.send(events=_WARM_UP, rate=_RATE)
    alone = _memory(feed.pid)
    with _reading(feed.port, path) as readers:
        feed.send(events=_WARM_UP, rate=_RATE)
        written = feed.send(events=_EVENTS, rate=_RATE)
        each = (_memory(feed.pid) - alone) / _READERS
        seen = readers(max(written))
    taken = [marks[mark] - at for marks in seen for mark, at in written.items()]
    bench = f"{_READERS} readers of {what}, {_RATE:.0f} events a second"
    told = "from an event on disk to a reader, {} of " + f"{len(taken):,}"
    return [
        Measurement(bench, told.format("p50"), milliseconds(percentile(taken, 50))),
        Measurement(bench, told.format("p95"), milliseconds(percentile(taken, 95)), aim="≤ 50 ms"),
        Measurement(bench, told.format("longest"), milliseconds(max(taken))),
        Measurement(bench, "the service's memory for each reader", f"{each / 1024:.0f} kB"),
    ]


def _memory(pid: int) -> int:
    """Bytes that a process has resident."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10


@contextmanager
def _reading(port: int, path: str) -> Iterator["_Readers"]:
    argv = [sys.executable, "-m", "tests.bench.readers", str(port), path, str(_READERS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield _Readers(process)
        finally:
            process.kill()


class _Readers:
    """The process of the readers, once they read. The call gives when each of them saw which mark, to the last."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process = process
        assert process.stdout.readline() == "reading\n"

    def __call__(self, last: str) -> list[dict[str, float]]:
        said, _ = self._process.communicate(f"{last}\n")
        seen: list[dict[str, float]] = json.loads(said)
        return seen


class _Reader(asyncio.Protocol):
    """A connection that is only read."""

    def __init__(self, path: str) -> None:
        self.seen: dict[str, float] = {}
        self._came = asyncio.Event()
        lines = (f"GET {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in _CODE.items()))
        self._request = "\r\n".join((*lines, "Accept: text/event-stream", "", "")).encode()
        self._rest = b""

    def itself(self) -> "_Reader":
        """For who makes connections."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        at = time.time()
        for mark in re.findall(rb"mark\d{4}", self._rest + data):
            self.seen.setdefault(mark.decode(), at)
        self._rest = data[-8:]
        self._came.set()

    async def begun(self) -> None:
        """Return when anything has come."""
        await self._came.wait()

    async def saw(self, mark: str) -> None:
        """Return when the mark has come."""
        while mark not in self.seen:
            self._came.clear()
            await self._came.wait()


async def _read(port: int, path: str, count: int) -> list[dict[str, float]]:
    readers = [_Reader(path) for _ in range(count)]
    loop = asyncio.get_running_loop()
    connections = [await loop.create_connection(each.itself, "127.0.0.1", port) for each in readers]
    for reader in readers:
        await reader.begun()
    print("reading", flush=True)  # noqa: T201
    last = (await asyncio.to_thread(sys.stdin.readline)).strip()
    async with asyncio.timeout(_PATIENCE_S):
        for reader in readers:
            await reader.saw(last)
    for transport, _ in connections:
        transport.close()
    return [reader.seen for reader in readers]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_read(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))  # noqa: T201
