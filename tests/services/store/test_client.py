"""What only a database can do to a store: be away, come back, be left."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.database import Database, sqlite_url
from app.errors import StoreUnavailable
from app.models import EventKind, RunFilter, RunStatus
from app.services.store.client import DatabaseStore
from tests.contracts.test_store import accepted, claim_of, queue


class Room:
    """A store whose database can be taken away and brought back."""

    def __init__(self, directory: Path) -> None:
        self._there, self._away = directory / "there", directory / "away"
        self._there.mkdir()
        self.database = Database(url=sqlite_url(self._there / "auto-code.db"))

    def store(self, *, patience_s: float) -> DatabaseStore:
        return DatabaseStore(database=self.database, patience_s=patience_s)

    def take_away(self) -> None:
        self.database.close()
        self._there.rename(self._away)

    def bring_back(self) -> None:
        self._away.rename(self._there)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    yield made
    made.database.close()


async def test_what_people_and_trackers_ask_is_refused_at_once_while_the_database_is_away(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    run_id = await accepted(store)
    room.take_away()
    for asked in (
        store.check(),
        store.run(run_id),
        store.runs(RunFilter()),
        store.claim(claim_of("PROJ-2"), queue),
        store.stop_run(run_id, outcome="Stopped by Ada.", by="Ada"),
    ):
        with pytest.raises(StoreUnavailable, match=r"did not answer: unable to open database file. Try again"):
            await asked
    room.bring_back()
    await store.check()
    assert [run.id for run in (await store.runs(RunFilter())).runs] == [run_id]
    await store.stop()


async def test_what_a_run_says_waits_for_a_database_that_comes_back(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    run_id = await accepted(store)
    room.take_away()
    saying = asyncio.create_task(store.append(run_id, EventKind.NOTICE, {"text": "patient"}))
    moving = asyncio.create_task(store.move(run_id, RunStatus.RUNNING))
    with pytest.raises(StoreUnavailable):
        await store.check()
    assert not saying.done()
    room.bring_back()
    await asyncio.gather(saying, moving)
    assert (await store.run(run_id)).status is RunStatus.RUNNING
    assert len(await store.events(run_id)) == 3
    await store.stop()


async def test_what_a_run_asks_waits_for_a_database_that_comes_back(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    run_id = await accepted(store)
    taken = asyncio.Event()

    async def work() -> tuple[object, ...]:
        await store.take(run_id, "worker")
        taken.set()
        await away.wait()
        # Also what others began for it, and what people ask for as well.
        asked = (store.run(run_id), store.conversation("PROJ-1"), store.changes("PROJ-1"), store.ticket("PROJ-1"))
        return tuple(await asyncio.gather(*asked, store.check_claim(run_id)))

    away = asyncio.Event()
    working = asyncio.create_task(work())
    await taken.wait()
    room.take_away()
    away.set()
    with pytest.raises(StoreUnavailable):
        await store.run(run_id)
    assert not working.done()
    room.bring_back()
    assert len(await working) == 5
    await store.stop()


async def test_the_log_says_once_that_the_database_is_lost_and_once_that_it_is_back(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    run_id = await accepted(store)
    room.take_away()
    with capture_logs() as logs:
        saying = [asyncio.create_task(store.append(run_id, EventKind.NOTICE, {})) for _ in range(5)]
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await store.check()
        room.bring_back()
        await asyncio.gather(*saying)
        await store.check()
    assert [line["event"] for line in logs] == ["database lost", "database back"]
    assert "unable to open database file" in logs[0]["reason"]
    assert logs[1]["failed"] >= 5
    await store.stop()


async def test_a_store_that_stops_is_no_lost_database(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    await store.stop()
    with capture_logs() as logs, pytest.raises(StoreUnavailable):
        await store.check()
    assert logs == []


async def test_a_run_does_not_wait_for_ever(room: Room) -> None:
    store = room.store(patience_s=0)
    await store.start()
    run_id = await accepted(store)
    room.take_away()
    with pytest.raises(StoreUnavailable):
        await store.append(run_id, EventKind.NOTICE, {})
    await store.stop()


async def test_a_store_that_stopped_takes_nothing_more(room: Room) -> None:
    store = room.store(patience_s=60)
    await store.start()
    run_id = await accepted(store)
    await store.stop()
    for asked in (store.check(), store.claim(claim_of("PROJ-2"), queue), store.append(run_id, EventKind.NOTICE, {})):
        with pytest.raises(StoreUnavailable, match="The service is stopping"):
            await asked


async def test_a_transaction_that_began_ends_although_its_caller_is_gone(room: Room) -> None:
    store = room.store(patience_s=0)
    await store.start()
    run_id = await accepted(store)
    await store.append(run_id, EventKind.NOTICE, {"text": "before"})
    saying = asyncio.create_task(store.append(run_id, EventKind.NOTICE, {"text": "it"}))
    await asyncio.sleep(0)
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    await store.check()  # the one writer has done what came before
    assert [event.payload for event in await store.events(run_id, after=2)] == [{"text": "it"}]
    await store.stop()


async def test_two_services_on_one_database_share_what_is_stored(room: Room) -> None:
    first, second = room.store(patience_s=0), DatabaseStore(database=Database(url=room.database.url), patience_s=0)
    await first.start()
    await second.start()
    run_id = await accepted(first)
    assert (await second.claim(claim_of(), queue)).run_id == run_id
    following, watching = second.follow(run_id), second.watch("PROJ-1")
    assert (await anext(following)).seq == (await anext(watching)).events[0].seq == 1
    coming = asyncio.gather(anext(following), anext(watching))
    await first.append(run_id, EventKind.NOTICE, {})
    event, update = await coming
    assert (event.seq, update.events) == (2, (event,))
    await first.stop()
    await second.stop()
