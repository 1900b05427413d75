"""A database that goes away ends no worker and loses no work."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import sqlalchemy as sa

from app.database import Database
from tests.contracts.engines import InDatabase
from tests.contracts.fleets import Nursery, PostgresFleet
from tests.contracts.records import LIMIT_S, Record
from tests.postgres import Postgres

EVERY_SESSION = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL "
    "AND datname = current_database()"
)


@pytest.fixture
def server() -> Iterator[Postgres]:
    """One that may be stopped, unlike the one that other tests use."""
    with Postgres() as started:
        yield started


@pytest.fixture
async def place(server: Postgres) -> AsyncIterator[InDatabase]:
    made = InDatabase(Database(url=server.url(server.database())))
    yield made
    await made.close()


async def test_work_goes_on_after_a_restart_of_the_database(server: Postgres, place: InDatabase) -> None:
    record = Record("one", "two", held=frozenset({"one"}))
    engine = await place.start(record)
    await place.enqueue(engine, "before")
    await record.until_at_work(1)
    await asyncio.to_thread(server.stop)
    await record.let_go()
    await asyncio.to_thread(server.start)
    await record.until_ended(1)
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await place.enqueue(engine, "after")
            except sa.exc.OperationalError:  # a connection of before the restart
                continue
            break
    await record.until_ended(2)
    assert [work for work, _ in record.begun] == ["before", "before", "after", "after"]


async def test_workers_that_lose_their_connections_go_on_each_with_its_own(place: InDatabase, nursery: Nursery) -> None:
    fleet = PostgresFleet(place, nursery)
    first = await fleet.fellow("one", "two", held=("one",), concurrency=1)
    second = await fleet.fellow("one", "two", held=("one",), concurrency=1)
    await place.enqueue(fleet.outside, "work", "other")
    await first.record.until_at_work(1)
    await second.record.until_at_work(1)
    await asyncio.to_thread(_end_sessions, place.url)
    await asyncio.sleep(1)  # five sweeps of each
    for fellow in (first, second):
        await fellow.let_go()
        await fellow.record.until_ended(1)
        assert [step for _, step in fellow.record.begun] == ["one", "two"]
    await fleet.close()


def _end_sessions(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(EVERY_SESSION))
