"""Databases for the contracts: SQLite always, Postgres where the machine has it; each brought up to date once."""

import asyncio
import shutil
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from app.database import Database, sqlite_url
from app.services.engine import Steps
from app.services.engine.client import DbosEngine
from app.services.store import migrations, tables
from tests.postgres import Postgres


class Databases(ABC):
    """Gives each test an empty database with the tables of product and engine; `directory` is the test's."""

    @abstractmethod
    def fresh(self, directory: Path) -> Database:
        """A new one."""

    @abstractmethod
    def empty(self, directory: Path) -> Database:
        """One in which only the product's tables are sure to be empty, which is there sooner."""


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

    def __init__(self, server: Postgres) -> None:
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


def _bring_up_to_date(database: Database) -> None:
    migrations.upgrade(database)
    with ThreadPoolExecutor(1) as beside:  # because this thread may have a loop that runs
        beside.submit(asyncio.run, _engine_was_here(database)).result()
    database.close()


async def _engine_was_here(database: Database) -> None:
    async def nothing(_run_id: str, _steps: Steps) -> None:
        pass

    engine = DbosEngine(database=database, concurrency=1)
    await engine.start(nothing)
    await engine.stop()
