"""Which process works on a database: one at a time, shown by a lock that is free as soon as its holder dies.

The runs of a dead process are taken over by the next one, so that two at once would work on the same run twice.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.errors import ConfigurationError
from app.logger import get_logger

_log = get_logger(__name__)

_LOOK_AGAIN_S = 0.1
_WATCH_S = 5.0
_ADVISORY_LOCK = 4_202_612
_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: whoever supervises the process starts it again

# A server that went away in silence is noticed within half a minute.
_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "connect_timeout": 10}


class Ownership(ABC):
    """A lock on one database."""

    def __init__(self, *, wait_s: float) -> None:
        self._wait_s = wait_s

    @classmethod
    def of(cls, database: Database, *, wait_s: float) -> "Ownership":
        """A lock file beside SQLite's file; a session's advisory lock on Postgres."""
        if database.file is not None:
            return FileOwnership(database.file.with_suffix(".lock"), wait_s=wait_s)
        return SessionOwnership(database.url, wait_s=wait_s)

    async def take(self) -> None:
        """Hold the lock; the process before may take a while to end. Raises ConfigurationError when it does not."""
        give_up = time.monotonic() + self._wait_s
        while not await self._try():
            if time.monotonic() >= give_up:
                await self.release()
                raise ConfigurationError(self._refusal())
            await asyncio.sleep(_LOOK_AGAIN_S)

    @abstractmethod
    async def release(self) -> None:
        """Let go; nothing happens when nothing is held."""

    @abstractmethod
    async def _try(self) -> bool:
        """Take the lock if it is free."""

    @abstractmethod
    def _refusal(self) -> str:
        """What to say when another process keeps it."""


class FileOwnership(Ownership):
    """A lock file. The kernel frees it with its process."""

    def __init__(self, path: Path, *, wait_s: float) -> None:
        super().__init__(wait_s=wait_s)
        self._path = path
        self._file: TextIO | None = None

    async def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _try(self) -> bool:
        self._file = self._file or self._opened()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False

    def _opened(self) -> TextIO:
        try:
            return self._path.open("w")
        except OSError as error:
            message = f"{self._path} cannot be written: {error.strerror}. Let the service's user write WORKSPACE_DIR."
            raise ConfigurationError(message) from error

    def _refusal(self) -> str:
        return (
            f"Another auto-code process works on {self._path.parent}. Stop it, or give this one another WORKSPACE_DIR."
        )


class SessionOwnership(Ownership):
    """An advisory lock of one Postgres session. When the session is lost so is the lock, and the process ends at once:
    another one may hold it already, and finds every run where this one left it.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_s: float,
        watch_s: float = _WATCH_S,
        on_loss: Callable[[], None] = lambda: os._exit(_TRY_AGAIN),
    ) -> None:
        super().__init__(wait_s=wait_s)
        self._engine = sa.create_engine(
            url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT", connect_args=_KEEPALIVES
        )
        self._session: sa.Connection | None = None
        self._watch: asyncio.Task[None] | None = None
        self._watch_s = watch_s
        self._on_loss = on_loss

    async def take(self) -> None:
        try:
            await super().take()
        except DBAPIError as error:
            raise ConfigurationError(
                "The database at DATABASE_URL does not answer. Start it, or mend the URL."
            ) from error
        self._watch = asyncio.create_task(self._watched())

    async def release(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            self._watch = None
        if self._session is not None:
            await asyncio.to_thread(self._session.close)
            self._session = None

    async def _try(self) -> bool:
        def attempt() -> bool:
            self._session = self._session or self._engine.connect()
            taken = sa.text("SELECT pg_try_advisory_lock(:lock)")
            return bool(self._session.execute(taken, {"lock": _ADVISORY_LOCK}).scalar_one())

        return await asyncio.to_thread(attempt)

    async def _watched(self) -> None:
        while True:
            await asyncio.sleep(self._watch_s)
            try:
                await asyncio.to_thread(self._answers)
            except DBAPIError as error:
                _log.error("lock of the database lost", error=str(error.orig))
                self._on_loss()
                return

    def _answers(self) -> None:
        if self._session is not None:
            self._session.execute(sa.text("SELECT 1"))

    def _refusal(self) -> str:
        return "Another auto-code process works on the database at DATABASE_URL. Stop it, or give this one its own."
