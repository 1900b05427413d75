"""One suite an interface: the mock and the real one pass the same tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.services.store.base import Store
from app.services.store.client import DatabaseStore
from app.services.store.mock_client import MockStore
from tests.contracts.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.contracts.engines import InDatabase, InMemory, Place
from tests.postgres import DATABASES, Postgres


@pytest.fixture(params=("mock", *DATABASES))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of each kind, started."""
    made: Store = MockStore()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = DatabaseStore(database=databases.empty(tmp_path), patience_s=0)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=("mock", *DATABASES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A place for engines of each kind."""
    made: Place = InMemory()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = InDatabase(databases.fresh(tmp_path))
    yield made
    await made.close()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Files."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite") / "template.db")


@pytest.fixture(scope="session")
def postgres_databases(postgres: Postgres) -> Databases:
    """A server's."""
    return PostgresDatabases(postgres)
