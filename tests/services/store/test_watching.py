"""What watching costs the database: the readers of one conversation cost it what one does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar, cast

import pytest

from app.errors import StoreUnavailable
from app.models import EventKind, RunStatus
from app.services.store.base import Update
from app.services.store.mock_client import MockStore
from app.services.store.transactions import Body
from tests.contracts.conversing import KEY, running, send
from tests.contracts.test_store import accepted, claim_of

T = TypeVar("T")

READERS = 50


class CountingStore(MockStore):
    """Counts how often somebody reads, and takes its time, as a database does. Nobody reads but for news."""

    def __init__(self) -> None:
        super().__init__()
        self._signals.look_every_s = 3600.0
        self.reads = 0
        self.reading = asyncio.Event()

    async def _transact(self, body: Body[T], *, writes: bool) -> T:
        if not writes:
            self.reads += 1
            self.reading.set()
            await asyncio.sleep(0)
        return await super()._transact(body, writes=writes)


@pytest.fixture
async def store() -> AsyncIterator[CountingStore]:
    """An empty one."""
    made = CountingStore()
    await made.start()
    yield made
    await made.stop()


async def many_turns_of_the_loop() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def watching(store: CountingStore, ticket: str | None = KEY) -> aclosing[Any]:
    return aclosing(cast("Any", store.watch(ticket)))


async def until(updates: AsyncIterator[Update], last: int) -> list[int]:
    """The numbers of the events that come, to the last one awaited."""
    seen = list[int]()
    while not seen or seen[-1] < last:
        seen += [event.seq for event in (await anext(updates)).events]
    return seen


async def test_a_watcher_reads_only_when_there_may_be_news(store: CountingStore) -> None:
    run_id = await accepted(store)
    async with watching(store) as updates:
        await anext(updates)
        assert store.reads == 1
        coming = asyncio.ensure_future(anext(updates))
        await many_turns_of_the_loop()
        assert store.reads == 1
        await store.append(run_id, EventKind.NOTICE, {})
        store.reads = 0
        await coming
        assert store.reads == 1
        coming = asyncio.ensure_future(anext(updates))
        await store.whisper(run_id, "Let me")
        await coming
        assert store.reads == 1


async def test_who_watches_the_list_asks_the_database_nothing(store: CountingStore) -> None:
    run_id = await accepted(store, claim_of("PROJ-2"))
    async with watching(store, None) as updates:
        await anext(updates)
        await store.move(run_id, RunStatus.RUNNING)
        store.reads = 0
        assert (await anext(updates)).elsewhere
    assert store.reads == 0


async def test_an_event_is_read_once_for_all_who_watch(store: CountingStore) -> None:
    run_id = await running(store)
    async with AsyncExitStack() as readers:
        every = [await readers.enter_async_context(watching(store)) for _ in range(READERS)]
        assert await asyncio.gather(*(until(updates, 2) for updates in every)) == [[1, 2]] * READERS
        coming = [asyncio.ensure_future(until(updates, 3)) for updates in every]
        await many_turns_of_the_loop()
        await store.append(run_id, EventKind.NOTICE, {})
        store.reads = 0
        assert await asyncio.gather(*coming) == [[3]] * READERS
    assert store.reads == 1


async def test_an_event_is_read_once_for_all_who_follow(store: CountingStore) -> None:
    run_id = await running(store)
    heard = [list[int]() for _ in range(READERS)]

    async def follow(seen: list[int]) -> None:
        async for event in store.follow(run_id):
            seen += [event.seq]

    following = [asyncio.create_task(follow(seen)) for seen in heard]
    await many_turns_of_the_loop()
    await store.append(run_id, EventKind.NOTICE, {})
    store.reads = 0
    await many_turns_of_the_loop()
    assert heard == [[1, 2, 3]] * READERS
    assert store.reads == 1
    await store.move(run_id, RunStatus.IDLE)
    await asyncio.gather(*following)
    assert heard == [[1, 2, 3, 4]] * READERS


async def test_who_fell_behind_reads_for_itself_until_it_has_come_to_the_others(store: CountingStore) -> None:
    run_id = await running(store)
    async with watching(store) as slow, watching(store) as quick:
        await asyncio.gather(anext(slow), anext(quick))
        for number in range(3, 303):
            await store.append(run_id, EventKind.NOTICE, {})
            assert await until(quick, number) == [number]
        assert await until(slow, 302) == list(range(3, 303))
        coming = [asyncio.ensure_future(anext(updates)) for updates in (slow, quick)]
        await many_turns_of_the_loop()
        await store.append(run_id, EventKind.NOTICE, {})
        store.reads = 0
        await asyncio.gather(*coming)
        assert store.reads == 1


async def test_who_goes_while_it_reads_for_others_leaves_nobody_waiting(store: CountingStore) -> None:
    run_id = await running(store)
    async with watching(store) as first, watching(store) as second:
        await asyncio.gather(anext(first), anext(second))
        reading, waiting = [asyncio.ensure_future(anext(updates)) for updates in (first, second)]
        await many_turns_of_the_loop()
        await store.append(run_id, EventKind.NOTICE, {})
        store.reading.clear()
        await store.reading.wait()
        reading.cancel()
        assert [event.seq for event in (await waiting).events] == [3]


async def test_all_hear_that_the_database_is_away(store: CountingStore) -> None:
    run_id = await running(store)
    async with AsyncExitStack() as readers:
        every = [await readers.enter_async_context(watching(store)) for _ in range(READERS)]
        await asyncio.gather(*(anext(updates) for updates in every))
        coming = [asyncio.ensure_future(anext(updates)) for updates in every]
        await many_turns_of_the_loop()
        await store.append(run_id, EventKind.NOTICE, {})
        store.away, store.reads = True, 0
        heard = await asyncio.gather(*coming, return_exceptions=True)
    assert [type(each) for each in heard] == [StoreUnavailable] * READERS
    assert store.reads == 2  # whoever wakes them tries, and one of them for all


async def test_a_run_that_says_little_is_followed_beside_what_people_say(store: CountingStore) -> None:
    run_id, heard = await running(store), list[int]()
    for number in range(120):
        await send(store, f"message {number}")

    async def follow() -> None:
        async for event in store.follow(run_id):
            heard.append(event.seq)

    following = asyncio.create_task(follow())
    await many_turns_of_the_loop()
    assert heard == [1, 2]
    store.reads = 0
    await many_turns_of_the_loop()
    assert store.reads == 0
    await store.move(run_id, RunStatus.IDLE)
    await following
    assert heard == [1, 2, 123]
