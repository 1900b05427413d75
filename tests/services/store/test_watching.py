"""What watching costs the database."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, cast

from app.models import Event, EventKind, RunStatus
from app.services.store.mock_client import MockStore
from tests.contracts.test_store import accepted, claim_of


class CountingStore(MockStore):
    """Counts how often somebody looks for events."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    async def next_events(self, ticket: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        self.looks += 1
        await asyncio.sleep(0)  # as a database lets others go on meanwhile
        return await super().next_events(ticket, after=after, limit=limit)


async def many_turns_of_the_loop() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_a_watcher_looks_only_when_there_may_be_news() -> None:
    store = CountingStore()
    await store.start()
    run_id = await accepted(store)
    async with aclosing(cast("Any", store.watch("PROJ-1"))) as updates:
        await anext(updates)
        assert store.looks == 1
        coming = asyncio.ensure_future(anext(updates))
        await many_turns_of_the_loop()
        assert store.looks == 2
        await store.append(run_id, EventKind.NOTICE, {})
        await coming
        assert store.looks == 3
        coming = asyncio.ensure_future(anext(updates))
        await many_turns_of_the_loop()
        assert store.looks == 4
        await store.whisper(run_id, "Let me")
        await coming
        assert store.looks == 5
    await store.stop()


async def test_who_watches_the_list_asks_the_database_nothing() -> None:
    store = CountingStore()
    await store.start()
    run_id = await accepted(store, claim_of("PROJ-2"))
    async with aclosing(cast("Any", store.watch(None))) as updates:
        await anext(updates)
        await store.move(run_id, RunStatus.RUNNING)
        assert (await anext(updates)).elsewhere
    assert store.looks == 0
    await store.stop()
