"""Databases for the contracts: SQLite always, Postgres where the machine has it; each brought up to date once."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.database import Database, sqlite_url
from app.services.store import migrations
from tests.contracts import postgres

KINDS = ("sqlite", "postgres") if postgres.AVAILABLE else ("sqlite",)


class Databases(ABC):
    """Gives each test a database of its own, in which the product's tables are."""

    @abstractmethod
    def fresh(self, directory: Path) -> Database:
        """A new database; `directory` is the test's."""


class SqliteDatabases(Databases):
    """Copies of one file."""

    def __init__(self, template: Path) -> None:
        self._template = template
        _bring_up_to_date(Database(url=sqlite_url(template)))

    def fresh(self, directory: Path) -> Database:
        copy = directory / "auto-code.db"
        shutil.copy(self._template, copy)
        return Database(url=sqlite_url(copy))


class PostgresDatabases(Databases):
    """Copies of one database of one server."""

    def __init__(self, server: postgres.Postgres) -> None:
        self._server = server
        self._template = server.database()
        _bring_up_to_date(Database(url=server.url(self._template)))

    def fresh(self, directory: Path) -> Database:
        return Database(url=self._server.url(self._server.database(template=self._template)))


@contextmanager
def databases_of(kind: str, directory: Path) -> Iterator[Databases]:
    """Databases of a kind, as long as the block lasts."""
    if kind == "sqlite":
        yield SqliteDatabases(directory / "template.db")
        return
    with postgres.Postgres() as server:
        yield PostgresDatabases(server)


def _bring_up_to_date(database: Database) -> None:
    migrations.upgrade(database)
    database.close()
