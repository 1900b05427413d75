"""The migrations lead to the tables that the code knows, on every database."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.database import Database, sqlite_url
from app.services.store import migrations, tables
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


NOW = sa.func.now()


def _run(name: str, status: str) -> dict[str, object]:
    empty: dict[str, object] = {"options": {}, "stages": [], "pull_requests": [], "tokens": {}}
    said = {"id": name, "ticket": "PROJ-1", "status": status, "mode": "implement", "trigger": "webhook"}
    return {**empty, **said, "created_at": NOW}
