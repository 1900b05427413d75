"""From an event to its pixels, the way back after a cut, and the end of a service that is being read.

An event counts from when it is on disk, a delta of text from when the model's stand-in has sent it: both times are
taken by the process that knows them, and the page's by the page itself (see `browse`), all with one machine's clock.
"""

import asyncio
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Page, expect

from app.models import RunMode
from tests.bench.browse import Readers, readers, seen
from tests.bench.feed import Feed, feeding
from tests.bench.measurements import Measurement, milliseconds
from tests.bench.numbers import percentile
from tests.fakes.http import Answer
from tests.fakes.messages_api import MessagesApi
from tests.fakes.scripts import ModelRequest, Reply, conversation
from tests.flows.service import ACCESS_CODE
from tests.flows.world import World
from tests.journeys.seeding import seeding
from tests.journeys.stories import long
from tests.web.fault_proxy import FaultProxy

_KEY = "BILL-1"
_RATE, _EVENTS = 10.0, 200
_MISSED = 2_000
_DELTAS, _DELTA_EVERY_S = 150, 0.05
_STREAMS = 3


def measure() -> list[Measurement]:
    """A reader beside a conversation of 5,000 events that goes on; one beside a model that writes; and SIGTERM."""
    with TemporaryDirectory(prefix="ac-") as directory:
        with seeding(Path(directory)) as past:
            run = long(past, _KEY, ended=False).run
        with feeding(Path(directory), run) as feed:
            beside, longest, replayed = asyncio.run(_read_along(feed))
    deltas, stopped = _written()
    what = "from an event on disk to its pixels"
    return [
        _row(what, f"p50 of {len(beside)}, {_RATE:.0f} events a second", percentile(beside, 50)),
        _row(what, f"p95 of {len(beside)}, {_RATE:.0f} events a second", percentile(beside, 95)),
        Measurement(what, "longest task of the browser meanwhile", f"{longest:.0f} ms", aim="≤ 200 ms"),
        _row("from a delta of the model to its pixels", f"p50 of {len(deltas)}", percentile(deltas, 50)),
        _row("from a delta of the model to its pixels", f"p95 of {len(deltas)}", percentile(deltas, 95)),
        _row("an open page that missed 2,000 events", "from Try now to the last one's pixels", replayed, "< 2 s"),
        _row("SIGTERM with three open streams", "until the service is gone", stopped, "< 3 s"),
    ]


def _row(bench: str, what: str, seconds: float, aim: str = "") -> Measurement:
    return Measurement(bench, what, milliseconds(seconds), aim=aim)


async def _read_along(feed: Feed) -> tuple[list[float], float, float]:
    """Seconds from disk to pixels of each event, the longest task meanwhile, and seconds to catch up after a cut."""
    async with readers() as people, FaultProxy(feed.port) as proxy:
        page = await _reader(people, f"{proxy.url}/code-runs/{_KEY}")
        await asyncio.to_thread(feed.send, events=20, rate=_RATE)  # warms everything up
        written = await asyncio.to_thread(feed.send, events=_EVENTS, rate=_RATE)
        shown = await seen(page, last=max(written))
        longest: float = await page.evaluate("longest")
        replayed = await _catch_up(feed, proxy, page)
    return [shown[mark] - at for mark, at in written.items()], longest, replayed


async def _reader(people: Readers, url: str) -> Page:
    page = await people.stay(url)
    await expect(page.locator("[data-live-status]")).to_have_text("Live")
    return page


async def _catch_up(feed: Feed, proxy: FaultProxy, page: Page) -> float:
    proxy.mode = "refuse"
    proxy.cut()
    try_now = page.get_by_role("button", name="Try now")
    await expect(try_now).to_be_visible(timeout=30_000)
    missed = await asyncio.to_thread(feed.send, events=_MISSED)
    proxy.mode = "pass"
    began = time.time()
    await try_now.click()
    last = max(missed)
    return (await seen(page, last=last))[last] - began


class _Writer(MessagesApi):
    """A model that writes slowly, and remembers when it sent what."""

    def __init__(self) -> None:
        # Twelve characters, which is what a delta has.
        text = "".join(f"mark{number:04d} so " for number in range(1, _DELTAS + 1))
        super().__init__(conversation({"Write": [Reply(text)]}))
        self.sent: dict[str, float] = {}
        self.fault("slow", times=None, delay_s=_DELTA_EVERY_S, when=lambda asked: "Write" in asked.prompt)

    async def answer(self, request: ModelRequest) -> Answer:
        answer = await super().answer(request)
        return replace(answer, chunks=_Noted(answer.chunks, self.sent))


class _Noted(Sequence[bytes]):
    """Chunks that note when the one before was sent: as soon as the next one is asked for."""

    def __init__(self, chunks: Sequence[bytes], sent: dict[str, float]) -> None:
        self._chunks = chunks
        self._sent = sent

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, place: Any) -> Any:
        found = self._chunks[place]
        return _Noted(found, self._sent) if isinstance(place, slice) else found

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield chunk
            if found := re.search(rb"mark\d{4}", chunk):
                self._sent[found[0].decode()] = time.time()


def _written() -> tuple[list[float], float]:
    """Seconds from each delta to its pixels, and until the service is gone while it is read."""
    model = _Writer()
    with World(model=model) as world, world.service(CLAUDE_SPARE="true", PIPELINE_TESTS="false") as service:
        service.http.post("/tickets", data={"place": "WRIT-1", "summary": "A text"})
        asked = {"ticket": "WRIT-1", "repos": "acme/widgets", "mode": RunMode.ASK, "instructions": "Write"}
        assert service.http.post("/code-runs", data=asked).has_redirect_location
        deltas = asyncio.run(_watch_writing(f"{service.http.base_url}/code-runs/WRIT-1", model))
        streams = [_open_stream(service.port, "WRIT-1") for _ in range(_STREAMS)]
        began = time.monotonic()
        service.stop()
        stopped = time.monotonic() - began
        for stream in streams:
            stream.close()
    return deltas, stopped


async def _watch_writing(url: str, model: _Writer) -> list[float]:
    async with readers() as people:
        page = await people.stay(url)
        shown = await seen(page, last=f"mark{_DELTAS:04d}")
    # Those before the page was open were there when it came.
    first = min(shown.values())
    return [shown[mark] - at for mark, at in model.sent.items() if mark in shown and at > first]


def _open_stream(port: int, key: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port))
    head = (f"GET /code-runs/{key}/events HTTP/1.1", "Host: x", f"Authorization: Bearer {ACCESS_CODE}", "", "")
    stream.sendall("\r\n".join(head).encode())
    received = b""
    while b"hello" not in received:
        received += stream.recv(4096)
    return stream
