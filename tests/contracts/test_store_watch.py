"""Every store shows what happens in a conversation alike: its history, and what comes, each event once and in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from app.errors import NotFound
from app.models import EventKind, RunStatus
from app.services.store import Store
from app.services.store.base import Update
from tests.contracts.conversing import KEY, running, send
from tests.contracts.test_store import accepted, claim_of, ended


async def say(store: Store, run_id: str, count: int = 1) -> None:
    for _ in range(count):
        await store.append(run_id, EventKind.NOTICE, {})


def numbers(events: Any) -> list[int]:
    return [event.seq for event in events]


def watching(store: Store, ticket: str | None = KEY, *, after: int = 0) -> aclosing[Any]:
    """A watcher that leaves at the end of the block."""
    return aclosing(cast("Any", store.watch(ticket, after=after)))


async def until(updates: AsyncIterator[Update], last: int) -> list[int]:
    """The numbers of the events that come, to the last one awaited."""
    seen = list[int]()
    while not seen or seen[-1] < last:
        seen += numbers((await anext(updates)).events)
    return seen


async def settled(updates: AsyncIterator[Update], writing: str | None) -> list[int]:
    """The numbers of the events that come until this text is being written."""
    seen = list[int]()
    async for update in updates:
        seen += numbers(update.events)
        if update.writing == writing:
            break
    return seen


# History


async def test_a_history_is_the_newest_events_in_a_window_in_order(store: Store) -> None:
    await say(store, await accepted(store), 9)
    assert numbers(await store.history(KEY)) == list(range(1, 11))
    assert numbers(await store.history(KEY, limit=3)) == [8, 9, 10]
    assert numbers(await store.history(KEY, before=8, limit=3)) == [5, 6, 7]
    assert numbers(await store.history(KEY, after=7)) == [8, 9, 10]
    assert numbers(await store.history(KEY, after=2, before=6, limit=2)) == [4, 5]
    assert await store.history(KEY, before=1) == ()
    assert await store.history(KEY, after=10) == ()
    with pytest.raises(NotFound, match="There is no conversation about PROJ-9"):
        await store.history("PROJ-9")


async def test_the_next_events_are_the_first_in_order(store: Store) -> None:
    await say(store, await accepted(store), 4)
    assert numbers(await store.next_events(KEY, after=0)) == [1, 2, 3, 4, 5]
    assert numbers(await store.next_events(KEY, after=1, limit=2)) == [2, 3]
    assert await store.next_events(KEY, after=5) == ()
    assert await store.next_events("PROJ-9", after=0) == ()


async def test_a_conversation_numbers_the_events_of_its_runs_and_between_them(store: Store) -> None:
    first = await running(store)
    await send(store, "m")
    await store.move(first, RunStatus.IDLE)
    await store.withdraw("m", by="Ada")
    second = await accepted(store)
    await ended(store, claim_of("PROJ-2"))
    assert [(event.seq, event.run_id, event.kind) for event in await store.history(KEY)] == [
        (1, first, EventKind.RUN_STATUS),
        (2, first, EventKind.RUN_STATUS),
        (3, None, EventKind.MESSAGE_QUEUED),
        (4, first, EventKind.RUN_STATUS),
        (5, None, EventKind.MESSAGE_WITHDRAWN),
        (6, second, EventKind.RUN_STATUS),
    ]
    assert numbers(await store.events(first)) == [1, 2, 4]
    assert numbers(await store.events(second)) == [6]
    assert numbers(await store.history("PROJ-2")) == [1, 2, 3]


# Watching


async def test_a_watcher_hears_what_was_and_what_comes_over_the_ends_of_runs(store: Store) -> None:
    run_id = await running(store)
    await say(store, run_id)
    async with watching(store) as updates:
        assert await until(updates, 3) == [1, 2, 3]
        coming = asyncio.ensure_future(until(updates, 4))
        await store.move(run_id, RunStatus.IDLE)
        assert await coming == [4]
        coming = asyncio.ensure_future(until(updates, 5))
        await accepted(store)
        assert await coming == [5]


async def test_a_watcher_is_answered_at_once_also_when_there_is_nothing_to_say(store: Store) -> None:
    for ticket in (None, "PROJ-9"):
        async with watching(store, ticket) as updates:
            assert await anext(updates) == Update()


async def test_a_long_conversation_is_heard_whole_and_once(store: Store) -> None:
    await say(store, await accepted(store), 204)
    async with watching(store) as updates:
        assert await until(updates, 205) == list(range(1, 206))
    async with watching(store, after=200) as updates:
        assert await until(updates, 205) == list(range(201, 206))


async def test_watchers_lose_and_repeat_nothing_while_others_write(store: Store) -> None:
    run_id = await running(store)

    async def heard(after: int) -> list[int]:
        async with watching(store, after=after) as updates:
            return await until(updates, 42)

    readers = [asyncio.create_task(heard(after)) for after in (0, 0, 10)]
    for number in range(40):
        await say(store, run_id)
        if number % 3 == 0:
            await store.whisper(run_id, f"writing {number}")
    assert await asyncio.gather(*readers) == [list(range(1, 43)), list(range(1, 43)), list(range(11, 43))]


async def test_many_hear_all_of_it_wherever_they_are_and_however_slowly_they_listen(store: Store) -> None:
    run_id = await running(store)
    await say(store, run_id, 10)

    async def watched(after: int) -> list[int]:
        async with watching(store, after=after) as updates:
            return await until(updates, 163)

    async def followed(after: int) -> list[int]:
        return [event.seq async for event in store.follow(run_id, after=after)]

    async with watching(store) as slow:
        assert numbers((await anext(slow)).events) == list(range(1, 13))
        places = (0, 5, 12) * 5
        hearing = [asyncio.create_task(hear(after)) for hear in (watched, followed) for after in places]
        for _ in range(150):
            await say(store, run_id)
        await store.move(run_id, RunStatus.IDLE)
        assert await asyncio.gather(*hearing) == [list(range(after + 1, 164)) for after in places * 2]
        assert await until(slow, 163) == list(range(13, 164))


async def test_what_comes_while_a_slow_watcher_reads_is_heard_at_its_next_look(store: Store) -> None:
    run_id = await running(store)
    async with watching(store) as updates:
        assert numbers((await anext(updates)).events) == [1, 2]
        await say(store, run_id, 3)
        assert numbers((await anext(updates)).events) == [3, 4, 5]


# The text that is being written


async def test_a_watcher_sees_the_newest_text_that_is_being_written(store: Store) -> None:
    run_id = await running(store)
    await store.whisper(run_id, "Let")
    async with watching(store) as updates:
        assert (await anext(updates)).writing == "Let"
        await store.whisper(run_id, "Let me")
        await store.whisper(run_id, "Let me see")
        assert (await anext(updates)).writing == "Let me see"
        await store.whisper(run_id, "")
        assert (await anext(updates)).writing is None
    assert [event.kind for event in await store.history(KEY)] == [EventKind.RUN_STATUS] * 2


async def test_what_was_written_is_seen_no_longer_by_those_who_come_later(store: Store) -> None:
    run_id = await running(store)
    await store.whisper(run_id, "Let me")
    await store.whisper(run_id, "")
    async with watching(store) as updates:
        assert (await anext(updates)).writing is None


async def test_the_text_that_is_being_written_is_seen_in_its_conversation_only(store: Store) -> None:
    await store.whisper(await running(store, claim_of("PROJ-2")), "Let me")
    run_id = await running(store)
    async with watching(store) as updates:
        assert (await anext(updates)).writing is None
        await say(store, run_id)
        assert (await anext(updates)).writing is None


async def test_events_do_not_wait_for_the_text_to_be_finished(store: Store) -> None:
    run_id = await running(store)
    async with watching(store) as updates:
        await anext(updates)
        await store.whisper(run_id, "Let me")
        await say(store, run_id)
        assert await settled(updates, "Let me") == [3]


# Elsewhere


async def test_a_watcher_hears_that_another_conversation_changed(store: Store) -> None:
    await running(store)
    other = await running(store, claim_of("PROJ-2"))
    async with watching(store) as here, watching(store, None) as listing:
        for updates in (here, listing):
            await anext(updates)
        await store.move(other, RunStatus.IDLE)
        for updates in (here, listing):
            update = await anext(updates)
            assert (update.events, update.elsewhere) == ((), True)
        await accepted(store, claim_of("PROJ-3"))
        for updates in (here, listing):
            assert (await anext(updates)).elsewhere


async def test_what_a_run_says_elsewhere_is_no_news(store: Store) -> None:
    run_id = await running(store)
    other = await running(store, claim_of("PROJ-2"))
    async with watching(store) as updates:
        await anext(updates)
        await say(store, other)
        await store.whisper(other, "Let me")
        await say(store, run_id)
        update = await anext(updates)
        assert (numbers(update.events), update.elsewhere) == ([3], False)


async def test_news_from_elsewhere_are_told_once(store: Store) -> None:
    run_id = await running(store)
    async with watching(store) as updates:
        await anext(updates)
        await accepted(store, claim_of("PROJ-2"))
        await send(store, "m", key="PROJ-2")
        assert (await anext(updates)).elsewhere
        await say(store, run_id)
        assert not (await anext(updates)).elsewhere
