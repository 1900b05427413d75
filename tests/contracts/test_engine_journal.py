"""What the engine leaves in a database and finds there: of earlier versions, of workers and works that died."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.database import Database
from app.errors import Parked
from app.services.engine import Engine
from app.services.engine.base import Steps
from tests.contracts.engines import InDatabase
from tests.contracts.records import LIMIT_S, Record
from tests.postgres import DATABASES

pytestmark = pytest.mark.parametrize("place", DATABASES, indirect=True)

DEADLY = 22
"""Beginnings of a work that never got further, the last of which is one too many."""


def change(place: InDatabase, work_id: str, **columns: Any) -> None:
    """Set columns of a work's row."""
    database = Database(url=place.url)
    rows = _rows(database, *columns)
    with database.writer.begin() as connection:
        connection.execute(sa.update(rows).where(rows.c.workflow_uuid == work_id).values(**columns))
    database.close()


def read(place: InDatabase, work_id: str, column: str) -> Any:
    """A column of a work's row."""
    database = Database(url=place.url)
    rows = _rows(database, column)
    with database.reader.connect() as connection:
        value = connection.execute(sa.select(rows.c[column]).where(rows.c.workflow_uuid == work_id)).scalar_one()
    database.close()
    return value


def _rows(database: Database, *columns: str) -> sa.TableClause:
    schema = None if database.embedded else "dbos"
    return sa.table("workflow_status", sa.column("workflow_uuid"), *map(sa.column, columns), schema=schema)


async def nothing_unfinished(engine: Engine) -> None:
    """Return when all is done."""
    async with asyncio.timeout(LIMIT_S):
        while await engine.unfinished():  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.01)


async def test_works_that_an_earlier_version_left_go_on(place: InDatabase) -> None:
    await place.enqueue(place.engine(), "queued", "begun")
    change(place, "queued", queue_partition_key=None)
    change(
        place,
        "begun",
        queue_partition_key=None,
        status="PENDING",
        executor_id="auto-code",
        owner_xid="before",
        recovery_attempts=50,
    )
    record = Record("step")
    engine = await place.start(record, per_bucket=1)
    await record.until_ended(2)
    await nothing_unfinished(engine)


async def test_works_under_nobody_or_a_worker_long_gone_are_found(place: InDatabase) -> None:
    await place.enqueue(place.engine(), "nobody's", "another's")
    change(place, "nobody's", status="PENDING", executor_id=None)
    change(place, "another's", status="PENDING", executor_id="elsewhere-1-abc")
    record = Record("step")
    await place.start(record)
    await record.until_ended(2)


async def test_a_work_that_was_claimed_but_never_begun_is_found_while_its_worker_lives(place: InDatabase) -> None:
    record = Record("step")
    engine = await place.start(record)
    engine.pause()
    await place.enqueue(engine, "claimed")
    change(place, "claimed", status="PENDING", executor_id=engine.worker_id)
    engine.resume()
    await record.until_ended(1)


async def test_a_work_that_ends_its_process_again_and_again_is_given_up(place: InDatabase) -> None:
    await place.enqueue(place.engine(), "deadly", "bad luck")
    change(place, "deadly", recovery_attempts=DEADLY - 1)
    change(place, "bad luck", recovery_attempts=DEADLY - 2)
    record = Record("step")
    engine = await place.start(record)
    await record.until_ended(1)
    await nothing_unfinished(engine)
    assert record.begun == [("bad luck", "step")]
    assert engine.under_way == frozenset()


async def test_deaths_are_forgotten_once_a_step_has_ended(place: InDatabase) -> None:
    await place.enqueue(place.engine(), "work")
    change(place, "work", recovery_attempts=5)
    record = Record("one", "two", held=frozenset({"two"}))
    await place.start(record)
    await record.until(lambda: ("work", "two") in record.begun)
    assert read(place, "work", "recovery_attempts") == 1


async def test_a_work_that_waits_for_days_dies_of_no_restarts(place: InDatabase) -> None:
    seen = list[Steps]()

    async def wait() -> str:
        raise Parked("Nothing goes.", until=datetime.max.replace(tzinfo=UTC))

    async def workflow(_work_id: str, steps: Steps) -> None:
        seen.append(steps)
        await steps.run("waiting", wait, str)

    await place.enqueue(place.engine(), "work")
    change(place, "work", recovery_attempts=DEADLY - 2)
    await place.start(workflow)
    async with asyncio.timeout(LIMIT_S):
        while not (seen and seen[0].waiting):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.005)
    assert read(place, "work", "recovery_attempts") == 1
    await place.stop()
    assert read(place, "work", "recovery_attempts") == 0
