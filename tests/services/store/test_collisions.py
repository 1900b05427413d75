"""Transactions that get in each other's way on Postgres go through, one after the other, and nobody hears of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from app.database import Database
from app.errors import ClaimLost, StoreUnavailable
from app.models import EventKind, StageName, Work
from app.services.store import fences, tables
from app.services.store.client import DatabaseStore
from tests.contracts.test_store import accepted, claim_of, queue
from tests.postgres import Postgres


@pytest.fixture
def database(postgres: Postgres) -> Database:
    """An empty Postgres."""
    return Database(url=postgres.url(postgres.database()))


@pytest.fixture
async def store(database: Database) -> AsyncIterator[DatabaseStore]:
    """A store on it."""
    made = DatabaseStore(database=database, patience_s=0)
    await made.start()
    yield made
    await made.stop()


class Meeting:
    """An engine in whose transactions two tickets touch the same two rows, in opposite order, at the same time."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2, timeout=20)
        self.visits = 0

    def __call__(self, transaction: sa.Connection, work: Work) -> None:
        self.visits += 1
        first, second = ("A-1", "B-1") if work.bucket == "LEFT" else ("B-1", "A-1")
        self._touch(transaction, first)
        if self.visits <= 2:
            self._both.wait()
        self._touch(transaction, second)

    @staticmethod
    def _touch(transaction: sa.Connection, key: str) -> None:
        touched = sa.update(tables.conversations).where(tables.conversations.c.ticket == key)
        transaction.execute(touched.values(url="https://example.org"))


async def test_a_deadlock_is_settled_by_trying_again(store: DatabaseStore) -> None:
    for key in ("A-1", "B-1"):
        await store.keep_ticket(claim_of(key).ticket)
    meeting = Meeting()
    with capture_logs() as logs:
        left, right = await asyncio.gather(
            store.claim(claim_of("LEFT-1"), meeting), store.claim(claim_of("RIGHT-1"), meeting)
        )
    assert (left.status, right.status) == ("accepted", "accepted")
    assert meeting.visits == 3
    assert logs == []


async def test_a_collision_that_never_ends_is_said_to_be_the_databases(store: DatabaseStore) -> None:
    visits = []

    def collide(transaction: sa.Connection, work: Work) -> None:
        visits.append(work)
        transaction.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(StoreUnavailable, match="again"):
        await store.claim(claim_of(), collide)
    assert 1 < len(visits) < 20


async def test_a_database_that_may_only_be_read_is_away_for_writers(store: DatabaseStore) -> None:
    def read_only(transaction: sa.Connection, _work: Work) -> None:
        transaction.execute(sa.text("SET TRANSACTION READ ONLY"))
        transaction.execute(sa.insert(tables.people).values(name="Ada"))

    with pytest.raises(StoreUnavailable, match="read-only"):
        await store.claim(claim_of(), read_only)
    assert await accepted(store)
    assert (await store.claim(claim_of(), queue)).status == "duplicate"


_SOMEBODY_WAITS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def _somebody_waits(database: Database) -> bool:
    # In a transaction of its own, because one sees the same activity all the while.
    with database.reader.connect() as connection:
        return bool(connection.execute(_SOMEBODY_WAITS).scalar_one())


Write = Callable[[DatabaseStore, str], Awaitable[Any]]


@pytest.mark.parametrize(
    "write",
    [
        lambda store, run_id: store.append(run_id, EventKind.TEXT, {"text": "Hi."}),
        lambda store, run_id: store.stage_started(run_id, StageName.LINT),
        lambda store, run_id: store.worked(run_id, 1.0),
    ],
    ids=["event", "stage", "time"],
)
async def test_what_waits_while_its_run_is_taken_is_not_written(
    database: Database, store: DatabaseStore, write: Write
) -> None:
    run_id = await accepted(store)
    await store.take(run_id, "zombie")
    with database.writer.begin() as taker:
        fences.take(taker, run_id, "other")
        writing = asyncio.ensure_future(write(store, run_id))
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(_somebody_waits, database):
                assert not writing.done()
                await asyncio.sleep(0.01)
    with pytest.raises(ClaimLost):
        await writing
    assert len(await store.events(run_id)) == 1
