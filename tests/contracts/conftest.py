"""One suite an interface: the mock and the real one pass the same tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.database import Database
from app.services.store.base import Store
from app.services.store.client import DatabaseStore
from app.services.store.mock_client import MockStore
from tests.contracts.databases import Databases, PostgresDatabases, SqliteDatabases
from tests.contracts.engines import InDatabase, InMemory, Place
from tests.contracts.fleets import Fleet, MockFleet, Nursery, PostgresFleet
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
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores of each kind with the same database, as two processes have it."""
    mock = MockStore()
    made: tuple[Store, Store] = mock, MockStore(beside=mock)
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        database = databases.empty(tmp_path)
        beside = Database(url=database.url)
        made = DatabaseStore(database=database, patience_s=0), DatabaseStore(database=beside, patience_s=0)
    for each in made:
        await each.start()
    yield made
    for each in made:
        await each.stop()


@pytest.fixture(params=("mock", *DATABASES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A place for engines of each kind."""
    made: Place = InMemory()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = InDatabase(databases.fresh(tmp_path))
    yield made
    await made.close()


@pytest.fixture(params=("mock", "sqlite"))
async def lone_place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """A place where one engine works at a time."""
    made: Place = InMemory()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = InDatabase(databases.fresh(tmp_path))
    yield made
    await made.close()


@pytest.fixture(params=("mock", "postgres"))
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fleet]:
    """A place where many workers are."""
    made: Fleet = MockFleet()
    if request.param != "mock":
        databases: Databases = request.getfixturevalue(f"{request.param}_databases")
        made = PostgresFleet(InDatabase(databases.fresh(tmp_path)), request.getfixturevalue("nursery"))
    yield made
    await made.close()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where workers in processes of their own come from."""
    with TemporaryDirectory(prefix="nursery-", dir="/tmp") as directory:  # a socket's path must be short
        made = Nursery(Path(directory))
        yield made
        made.close()


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Files."""
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite") / "template.db")


@pytest.fixture(scope="session")
def postgres_databases(postgres: Postgres) -> Databases:
    """A server's."""
    return PostgresDatabases(postgres)
