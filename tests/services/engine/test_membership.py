"""Any number of workers on one Postgres: each is known to live by a lock, and comes back when it loses that."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from app.errors import ConfigurationError
from app.services.engine.membership import Membership
from tests.postgres import Postgres

LIMIT_S = 20.0
EVERY_SESSION = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL "
    "AND datname = current_database()"
)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> str:
    return postgres.url(postgres.database())


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


async def in_session(url: str, do: Callable[[sa.Connection], object]) -> None:
    """Do this in a session of somebody else."""

    def session() -> None:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            do(connection)

    await asyncio.to_thread(session)


async def is_dead(url: str, member: Membership, *, judged_by: Membership) -> bool:
    found = list[bool]()
    await in_session(url, lambda connection: found.append(judged_by.is_dead(connection, member.worker_id)))
    return found[0]


async def until_judging(member: Membership, *, may: bool) -> None:
    async with asyncio.timeout(LIMIT_S):
        while member.may_judge is not may:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)


async def test_workers_work_side_by_side_and_live_as_long_as_they_hold_their_lock(url: str) -> None:
    first, second = Membership(url, wait_s=0), Membership(url, wait_s=0)
    await first.take()
    await second.take()
    assert first.worker_id != second.worker_id
    assert not await is_dead(url, second, judged_by=first)
    await second.release()
    assert await is_dead(url, second, judged_by=first)
    await first.release()


async def test_a_lost_session_is_noticed_at_once_and_its_place_taken_again(url: str) -> None:
    member, other = Membership(url, wait_s=0, grace_s=0.2), Membership(url, wait_s=0)
    await member.take()
    await in_session(url, lambda connection: connection.execute(sa.text(EVERY_SESSION)))
    await until_judging(member, may=False)
    await until_judging(member, may=True)
    assert not await is_dead(url, member, judged_by=other)
    await member.release()


async def test_after_a_restart_of_the_database_everybody_has_time_to_come_back(own_server: Postgres) -> None:
    url = own_server.url("postgres")
    member = Membership(url, wait_s=0, grace_s=3600)
    await member.take()
    with ThreadPoolExecutor(1) as beside:
        await asyncio.wrap_future(beside.submit(own_server.stop))
        await until_judging(member, may=False)
        await asyncio.wrap_future(beside.submit(own_server.start))
    async with asyncio.timeout(LIMIT_S):
        while await is_dead(url, member, judged_by=member):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    assert not member.may_judge
    await member.release()


async def test_nobody_works_beside_a_process_of_an_earlier_version(url: str) -> None:
    refused = list[ConfigurationError]()

    def earlier(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_advisory_lock(4202612)"))
        with pytest.raises(ConfigurationError) as raised:
            asyncio.run(Membership(url, wait_s=0.2).take())
        refused.append(raised.value)

    await in_session(url, earlier)
    assert str(refused[0]) == (
        "An auto-code process of an earlier version works on the database at DATABASE_URL. "
        "Stop it, or give this one its own."
    )
    member = Membership(url, wait_s=0)
    await member.take()
    taken = list[bool]()
    alone = sa.text("SELECT pg_try_advisory_lock(4202612)")
    await in_session(url, lambda connection: taken.append(connection.execute(alone).scalar_one()))
    assert taken == [False]
    await member.release()


async def test_a_database_that_is_away_is_told_so() -> None:
    away = Membership("postgresql+psycopg://nobody:secret@127.0.0.1:1/none", wait_s=0)
    with pytest.raises(ConfigurationError) as refused:
        await away.take()
    assert str(refused.value) == "The database at DATABASE_URL does not answer. Start it, or mend the URL."


async def test_releasing_what_is_not_held_changes_nothing() -> None:
    await Membership("postgresql+psycopg://nobody@127.0.0.1:1/none", wait_s=0).release()
