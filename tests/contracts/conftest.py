"""One suite an interface: the mock and the real one pass the same tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.database import Database
from app.services.store.base import Store
from app.services.store.client import DatabaseStore
from app.services.store.mock_client import MockStore
from tests.contracts.databases import KINDS, Databases, databases_of


@pytest.fixture(params=("mock", *KINDS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store of each kind, started."""
    made: Store = MockStore()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = DatabaseStore(database=databases.empty(tmp_path), patience_s=0)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Files."""
    with databases_of("sqlite", tmp_path_factory.mktemp("sqlite")) as made:
        yield made


@pytest.fixture(scope="session")
def postgres_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A server's; only where there is one."""
    with databases_of("postgres", tmp_path_factory.mktemp("postgres")) as made:
        yield made


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database of each kind, with the product's tables."""
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    return databases.fresh(tmp_path)
