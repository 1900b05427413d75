"""The one place that opens the database: one SQLite file to begin with, Postgres by `DATABASE_URL`.

The product's tables and the engine's are in the same database, because claiming a ticket and enqueueing its work are
one transaction. It knows how to connect, and nothing of what is stored.
"""

import sqlite3
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from app.config import Settings, get_settings
from app.errors import ConfigurationError

# A server that went away in silence is noticed within half a minute.
KEEPALIVES = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

_SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")


class Database:
    """Connections to one database.

    `writer` runs one transaction at a time on SQLite (each begins IMMEDIATE, so that what was read is still true when
    it is written); `reader` never waits for it. On Postgres both are one pool.
    """

    def __init__(self, *, url: str) -> None:
        self.url = url
        self.embedded = url.startswith("sqlite")
        self.writer = self._sqlite(pool_size=1, begin="BEGIN IMMEDIATE") if self.embedded else self._postgres()
        self.reader = self._sqlite(pool_size=4, begin="BEGIN") if self.embedded else self.writer
        self.engine_room = self._engine_room() if self.embedded else None
        """For the durability engine, which begins its transactions itself; None: it makes its own from the URL."""

    @classmethod
    def of(cls, settings: Settings) -> "Database":
        """The database that the settings name; the directory of a SQLite file is made. Raises ConfigurationError."""
        if settings.database_url is None:
            _make(settings.workspace_dir)
            return cls(url=sqlite_url(settings.workspace_dir / "auto-code.db"))
        url = settings.database_url.get_secret_value()
        for scheme in ("postgresql://", "postgres://"):
            if url.startswith(scheme):
                url = f"postgresql+psycopg://{url.removeprefix(scheme)}"
        try:
            return cls(url=url)
        except (ArgumentError, ValueError, ImportError) as error:
            message = "DATABASE_URL is no URL of a database; set it like postgresql://user:password@host/name."
            raise ConfigurationError(message) from error

    @property
    def file(self) -> Path | None:
        """The SQLite file; None on Postgres."""
        return Path(self.url.removeprefix("sqlite:///")) if self.embedded else None

    def close(self) -> None:
        """Close every connection that is not in use."""
        for engine in {self.writer, self.reader, self.engine_room} - {None}:
            if engine is not None:
                engine.dispose()

    def _postgres(self) -> sa.Engine:
        return sa.create_engine(self.url, pool_size=8, max_overflow=0, pool_pre_ping=True, connect_args=KEEPALIVES)

    def _sqlite(self, *, pool_size: int, begin: str) -> sa.Engine:
        engine = sa.create_engine(self.url, pool_size=pool_size, max_overflow=0, pool_timeout=60)

        @sa.event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = None  # so that the next listener decides how a transaction begins
            _prepare(connection)

        @sa.event.listens_for(engine, "begin")
        def _(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _engine_room(self) -> sa.Engine:
        engine = sa.create_engine(self.url, pool_size=5, max_overflow=0, pool_timeout=60)

        @sa.event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = "IMMEDIATE"
            _prepare(connection)

        return engine


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{file.absolute()}"


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{directory} cannot be made: {error.strerror}. Set WORKSPACE_DIR to a directory that can be written."
        raise ConfigurationError(message) from error


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    if sqlite3.sqlite_version_info < (3, 42):
        # The engine's schema calls unixepoch('subsec'), which is younger than Debian 12's SQLite.
        connection.create_function("unixepoch", 1, lambda _: time.time())


@lru_cache
def get_database() -> Database:
    """The database of this process."""
    return Database.of(get_settings())
