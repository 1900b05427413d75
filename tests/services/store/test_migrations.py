"""The migrations lead to the tables that the code knows, on every database."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.database import Database, sqlite_url
from app.models import EventKind, Request, RunMode, RunStatus
from app.services.store import migrations, tables
from app.services.store.client import DatabaseStore
from tests.contracts.test_store import accepted, claim_of
from tests.postgres import DATABASES, Postgres


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    url = sqlite_url(tmp_path / "auto-code.db")
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(server.database())
    made = Database(url=url)
    yield made
    made.close()


async def test_the_migrations_give_exactly_the_tables_that_the_code_knows(database: Database) -> None:
    # Upgraded beside a running loop, as the service does it.
    await asyncio.to_thread(migrations.upgrade, database)
    with database.writer.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []
        indexes = {index["name"]: index for index in sa.inspect(connection).get_indexes("runs")}
    # What the comparison does not look at: the claim is unique for active runs only.
    claim = indexes["one_active_run_a_ticket"]
    dialect = database.writer.dialect.name
    assert claim["unique"]
    assert "queued" in str(claim["dialect_options"][f"{dialect}_where"])


def test_upgrading_again_keeps_what_is_there(database: Database) -> None:
    migrations.upgrade(database)
    row = {"name": "id:1", "run_id": "run", "at": sa.func.now()}
    with database.writer.begin() as connection:
        connection.execute(sa.insert(tables.deliveries).values(**row))
    migrations.upgrade(database)
    with database.reader.connect() as connection:
        assert connection.execute(sa.select(tables.deliveries.c.run_id)).scalars().all() == ["run"]


def test_the_database_itself_refuses_a_second_active_run_of_a_ticket(database: Database) -> None:
    migrations.upgrade(database)
    conversation = {"ticket": "PROJ-1", "summary": "", "description": "", "created_at": NOW, "updated_at": NOW}
    with database.writer.begin() as connection:
        connection.execute(sa.insert(tables.conversations).values(**conversation))
        connection.execute(sa.insert(tables.runs).values(**_run("1", "idle")))
        connection.execute(sa.insert(tables.runs).values(**_run("2", "running")))
    with pytest.raises(sa.exc.IntegrityError), database.writer.begin() as connection:
        connection.execute(sa.insert(tables.runs).values(**_run("3", "queued")))


async def test_what_was_stored_by_run_is_found_by_conversation(database: Database) -> None:
    await asyncio.to_thread(_fill_first_tables, database)
    store = DatabaseStore(database=database, patience_s=0)
    await store.start()
    events = await store.history("PROJ-1")
    assert [(event.seq, event.run_id, event.payload) for event in events] == [
        (1, "z-old", {"text": "z-old 1"}),
        (2, "z-old", {"text": "z-old 2"}),
        (3, "z-old", {"text": "z-old 3"}),
        (4, "a-new", {"text": "a-new 1"}),
        (5, "a-new", {"text": "a-new 2"}),
    ]
    assert {(event.kind, event.at) for event in events} == {(EventKind.NOTICE, THEN)}
    assert [event.seq for event in await store.history("PROJ-2")] == [1]
    last = {key: (await store.conversation(key)).last_seq for key in ("PROJ-1", "PROJ-2", "PROJ-3")}
    assert last == {"PROJ-1": 5, "PROJ-2": 1, "PROJ-3": 0}
    await store.stop()


async def test_what_was_stored_goes_on_as_it_was(database: Database) -> None:
    await asyncio.to_thread(_fill_first_tables, database)
    store = DatabaseStore(database=database, patience_s=0)
    await store.start()
    run = await store.run("z-old")
    assert (run.mode, run.status, run.text, run.by, run.cost_usd) == (RunMode.IMPLEMENT, RunStatus.IDLE, "", None, 0.5)
    job = await store.job("a-new")
    assert (job.request, job.leg, job.decision, job.session_id) == (Request(), 1, None, "session of PROJ-1")
    assert await store.in_work() == (("a-new", "a-new"),)
    assert (await store.claim(claim_of("PROJ-1", ("id:1", None)), lambda *_: None)).run_id == "z-old"
    assert (await store.claim(claim_of("PROJ-1"), lambda *_: None)).run_id == "a-new"
    assert await store.append("a-new", EventKind.NOTICE, {}, once="2") is None
    assert await store.append("z-old", EventKind.NOTICE, {}) == 7  # after the ticket's newer text
    await store.take("a-new", "worker")
    assert await store.worked("a-new", 1.5) == 1.5
    await store.move("a-new", RunStatus.IDLE)
    assert (await store.run(await accepted(store))).mode is RunMode.IMPLEMENT
    assert (await store.ticket("PROJ-2")).priority == 3
    assert [idle.ticket for idle in await store.idle_since(datetime.now(UTC))] == []  # nobody knows when they ended
    await store.stop()


async def test_what_was_queued_before_waits_since_it_was_made(database: Database) -> None:
    await asyncio.to_thread(_fill_first_tables, database)
    with database.writer.begin() as connection:
        connection.execute(sa.text("UPDATE runs SET status = 'queued' WHERE id = 'a-new'"))
    store = DatabaseStore(database=database, patience_s=0)
    await store.start()
    census = await store.census()
    assert census.queued == {"PROJ": 1}
    assert census.oldest_queued_s is not None
    assert census.oldest_queued_s >= (datetime.now(UTC) - THEN).total_seconds() - 60
    await store.stop()


NOW = sa.func.now()
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _fill_first_tables(database: Database) -> None:
    """Two runs of one conversation, the older one with the later id; one of another; one that has said nothing."""
    migrations.upgrade(database, to="0001")
    runs = {"z-old": ("PROJ-1", "idle", 3), "other": ("PROJ-2", "idle", 1), "a-new": ("PROJ-1", "running", 2)}
    with database.writer.begin() as connection:
        for key in ("PROJ-1", "PROJ-2", "PROJ-3"):
            said = {"ticket": key, "summary": "", "description": "", "session_id": f"session of {key}"}
            _insert(connection, "conversations", {**said, "created_at": THEN, "updated_at": THEN})
        for name, (key, status, count) in {**runs, "silent": ("PROJ-3", "idle", 0)}.items():
            facts = {**_run(name, status), "ticket": key, "created_at": THEN, "cost_usd": 0.5, "last_seq": count}
            _insert(connection, "runs", facts)
        # As runs say things: by turns.
        for number in (1, 2, 3):
            for name, (_, _, count) in runs.items():
                if number <= count:
                    event = {"run_id": name, "seq": number, "kind": "notice", "at": THEN, "once": f"{number}"}
                    _insert(connection, "events", {**event, "payload": {"text": f"{name} {number}"}})
        _insert(connection, "deliveries", {"name": "id:1", "run_id": "z-old", "at": THEN})


def _insert(connection: sa.Connection, table: str, row: dict[str, object]) -> None:
    columns = {
        name: sa.column(name, sa.DateTime(timezone=True) if value is THEN else None) for name, value in row.items()
    }
    values = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
    connection.execute(sa.insert(sa.table(table, *columns.values())).values(**values))


def _run(name: str, status: str) -> dict[str, object]:
    empty: dict[str, object] = {"options": {}, "stages": [], "pull_requests": [], "tokens": {}}
    said = {"id": name, "ticket": "PROJ-1", "status": status, "mode": "implement", "trigger": "webhook"}
    return {**empty, **said, "created_at": NOW}
