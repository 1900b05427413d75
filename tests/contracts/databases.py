"""Databases for the contracts: SQLite always, Postgres where the machine has it; each brought up to date once."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from app.database import Database, sqlite_url
from app.services.store import migrations, tables
from tests.contracts import postgres

KINDS = ("sqlite", "postgres") if postgres.AVAILABLE else ("sqlite",)


class Databases(ABC):
    """Gives each test a database in which the product's tables are, and nothing else; `directory` is the test's."""

    @abstractmethod
    def fresh(self, directory: Path) -> Database:
        """A new one, for whoever makes tables of its own."""

    @abstractmethod
    def empty(self, directory: Path) -> Database:
        """One for the product's tables alone, which is there sooner."""


class SqliteDatabases(Databases):
    """Copies of one file."""

    def __init__(self, template: Path) -> None:
        self._template = template
        _bring_up_to_date(Database(url=sqlite_url(template)))

    def fresh(self, directory: Path) -> Database:
        copy = directory / "auto-code.db"
        shutil.copy(self._template, copy)
        return Database(url=sqlite_url(copy))

    def empty(self, directory: Path) -> Database:
        return self.fresh(directory)


class PostgresDatabases(Databases):
    """Databases of one server."""

    def __init__(self, server: postgres.Postgres) -> None:
        self._server = server
        self._template = server.database()
        _bring_up_to_date(Database(url=server.url(self._template)))
        self._reused = server.url(server.database(template=self._template))

    def fresh(self, directory: Path) -> Database:
        return Database(url=self._server.url(self._server.database(template=self._template)))

    def empty(self, directory: Path) -> Database:
        database = Database(url=self._reused)
        names = ", ".join(table.name for table in tables.metadata.sorted_tables)
        with database.writer.begin() as connection:
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
        return database


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
