"""Many readers of one conversation are told what each would be told alone, and cost what one costs."""

import asyncio
import gc
import re
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, cast

import pytest

from app.models import EventKind, FileChange, PipelineOptions, RepositoryChanges, RunStatus
from app.routes.feed import Feed
from app.routes.live import Audience
from app.web.assets import Assets
from app.web.presenters.fragments import Fragment
from app.web.rendering import Rendering
from tests.routes.service import Service, serving
from tests.routes.test_runs_api import taken

KEY = "PROJ-1"
READERS = 30
LIMIT_S = 20.0


class CountingRendering(Rendering):
    """Keeps the ids of what it draws."""

    def __init__(self) -> None:
        super().__init__(assets=Assets())
        self.drawn: list[str] = []

    def draw(self, fragment: Fragment) -> str:
        self.drawn.append(fragment.id)
        return super().draw(fragment)


class Reader:
    """One who reads a page's stream."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self.told = b""
        self._pieces = pieces

    @property
    def seen(self) -> list[int]:
        """The numbers of the events that were told, in order."""
        return [int(seq) for seq in re.findall(rb"^id: (\d+)$", self.told, re.MULTILINE)]

    @property
    def events(self) -> dict[int, bytes]:
        """What was told of each event."""
        return {int(seq): data for seq, data in re.findall(rb"^id: (\d+)\n((?:data:.*\n)+)", self.told, re.MULTILINE)}

    async def until(self, words: str) -> None:
        """Read on until these words were told."""
        async with asyncio.timeout(LIMIT_S):
            while words.encode() not in self.told:
                self.told += await anext(self._pieces)


class Hall:
    """A conversation that runs, and its readers."""

    def __init__(self, service: Service, run_id: str) -> None:
        self.rendering = CountingRendering()
        self.audience = Audience(runner=service.runner, rendering=self.rendering, options=PipelineOptions())
        self._service = service
        self._run_id = run_id

    @asynccontextmanager
    async def reader(self, *, begin: int = 1, after: int = 0) -> AsyncIterator[Reader]:
        """A reader whose page begins there and shows the events up to there."""
        last = (await self._service.runner.conversation(KEY)).last_seq
        feed = Feed(self.audience.live(KEY), begin=begin, after=after, last=last)
        async with aclosing(cast("Any", feed.follow(welcome=_welcome))) as pieces:
            reader = Reader(pieces)
            await reader.until('id="status"')
            yield reader

    async def say(self, *texts: str) -> None:
        """Events of the run."""
        for text in texts:
            await self._service.store.append(self._run_id, EventKind.TEXT, {"text": text, "role": "author"})

    async def change(self, path: str) -> None:
        """The run's change is one of this file."""
        files = (FileChange(path=path, added=1, removed=0),)
        change = RepositoryChanges(repository="acme/widgets", branch="b", base="main", files=files, patch="")
        await self._service.store.keep_changes(self._run_id, change)

    async def whisper(self, text: str) -> None:
        """The text that is being written."""
        await self._service.store.whisper(self._run_id, text)


async def _welcome() -> None:
    pass


@pytest.fixture
async def hall() -> AsyncIterator[Hall]:
    """A hall without readers."""
    async with serving() as service:
        run_id = await taken(service)
        await service.store.move(run_id, RunStatus.RUNNING)
        yield Hall(service, run_id)


async def test_what_comes_is_drawn_once_for_all_whose_pages_begin_alike(hall: Hall) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(hall.reader(after=2)) for _ in range(READERS)]
        hall.rendering.drawn.clear()
        await hall.say("One for all")
        await asyncio.gather(*(reader.until("One for all") for reader in readers))
        await hall.whisper("Hear, hear")
        await asyncio.gather(*(reader.until("Hear, hear") for reader in readers))
        assert {reader.events[3] for reader in readers} == {readers[0].events[3]}
    drawn = [id_ for id_ in hall.rendering.drawn if id_.endswith("-3") or id_ == "writing"]
    assert sorted(drawn) == ["said-3", "text-3", "writing"]


async def test_how_things_stand_is_drawn_once_for_all(hall: Hall) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(READERS):
            await stack.enter_async_context(hall.reader(after=2))
    assert hall.rendering.drawn.count("status") == 1


async def test_how_things_stand_is_told_again_only_where_it_changed(hall: Hall) -> None:
    async with hall.reader(after=2) as early:
        await hall.change("a.py")
        await early.until("a.py")
        async with hall.reader(after=3) as late:
            assert b'id="changes"' not in late.told
            for number in range(3):
                await hall.say(f"number {number}.")
                await asyncio.gather(early.until(f"number {number}."), late.until(f"number {number}."))
            await hall.change("b.py")
            await asyncio.gather(early.until("b.py"), late.until("b.py"))
    assert [early.told.count(b'id="status"'), late.told.count(b'id="status"')] == [1, 1]
    assert [early.told.count(b'id="changes"'), late.told.count(b'id="changes"')] == [2, 1]


async def test_pages_that_begin_elsewhere_are_told_what_fits_them(hall: Hall) -> None:
    await hall.say("A", "B", "C")
    async with hall.reader(after=5) as whole, hall.reader(begin=5, after=5) as late:
        await hall.say("D")
        await asyncio.gather(whole.until("D"), late.until("D"))
    assert b'data-into="#said-3-in"' in whole.events[6]
    assert b'data-into="#said-5-in"' in late.events[6]


async def test_a_slow_reader_holds_up_nobody_and_is_told_the_same_later(hall: Hall) -> None:
    async with hall.reader(after=2) as slow, hall.reader(after=2) as quick:
        for number in range(450):
            await hall.say(f"number {number}.")
            if number % 10 == 9:
                await quick.until(f"number {number}.")
        live = hall.audience.live(KEY)
        assert sum(bool(each.sent) for each in live.drawing(1).above(0, limit=1_000)) == 100
        await slow.until("number 449.")
        assert slow.seen == quick.seen == list(range(3, 453))
        assert slow.events == quick.events
        hall.rendering.drawn.clear()
        await hall.say("One for both")
        await asyncio.gather(slow.until("One for both"), quick.until("One for both"))
        assert hall.rendering.drawn.count("text-453") == 1


async def test_who_comes_later_reads_what_others_read_before(hall: Hall) -> None:
    async with hall.reader() as first:
        await hall.say(*(f"number {number}." for number in range(250)))
        await first.until("number 249.")
        for after in (0, 100, 252):
            async with hall.reader(after=after) as later:
                await hall.say(f"and after {after}")
                await asyncio.gather(first.until(f"and after {after}"), later.until(f"and after {after}"))
            assert later.seen == list(range(after + 1, first.seen[-1] + 1))
            assert later.events.items() <= first.events.items()


async def test_nothing_is_kept_of_a_conversation_that_nobody_reads(hall: Hall) -> None:
    async with hall.reader() as reader:
        live = weakref.ref(hall.audience.live(KEY))
        await hall.say("Read")
        await reader.until("Read")
    del reader
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    assert live() is None
    await hall.say("Not read")
    async with hall.reader() as again:
        await again.until("Not read")
