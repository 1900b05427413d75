"""A worker's place among many on Postgres: an advisory lock for its own id, in a session of its own.

The lock is held on a direct connection. Behind a pooler that gives each transaction another session it means nothing.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.database import KEEPALIVES
from app.errors import ConfigurationError
from app.logger import get_logger
from app.services.engine.ownership import Ownership

T = TypeVar("T")

_log = get_logger(__name__)

_WATCH_S = 5.0
_GRACE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 5.0

_EARLIER_VERSIONS = 4_202_612
"""The lock that a process of an earlier version holds alone. All share it, so that none works beside them."""

_OWN_LOCK = "hashtextextended(:worker, 4202612)"

# So that the server notices within half a minute that this machine went away in silence.
_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_session_timeout": "0",
}


class Membership(Ownership):
    """One of any number of workers. When the session is lost, the lock is taken again as soon as the database lets it
    be, and work goes on meanwhile; what others took over by then stays theirs.
    """

    def __init__(self, url: str, *, wait_s: float, grace_s: float = _GRACE_S) -> None:
        worker_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        super().__init__(worker_id=worker_id, wait_s=wait_s)
        self._engine = sa.create_engine(
            url, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT", connect_args=KEEPALIVES
        )
        self._session: sa.Connection | None = None
        self._socket: int | None = None
        self._stirred = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._grace_s = grace_s
        self._judges_from = 0.0
        self._lost = False

    async def take(self) -> None:
        try:
            await super().take()
        except DBAPIError as error:
            await self.release()
            raise ConfigurationError(
                "The database at DATABASE_URL does not answer. Start it, or mend the URL."
            ) from error
        self._watch = asyncio.create_task(self._watched())

    async def release(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
            self._watch = None
        await self._leave()

    @property
    def may_judge(self) -> bool:
        return not self._lost and time.monotonic() >= self._judges_from

    def is_dead(self, connection: sa.Connection, worker: str) -> bool:
        free = sa.text(f"SELECT pg_try_advisory_xact_lock({_OWN_LOCK})")
        return bool(connection.execute(free, {"worker": worker}).scalar_one())

    async def _try(self) -> bool:
        self._deaf()
        entered = await _in_thread(self._entered)
        self._listen()
        return entered

    def _entered(self) -> bool:
        if self._session is None:
            self._session = self._engine.connect()
            wanted = sa.text("SELECT set_config(name, :value, false) FROM pg_settings WHERE name = :name")
            for name, value in _SESSION.items():  # servers before 14 do not know all of them
                self._session.execute(wanted, {"name": name, "value": value})
        beside = sa.text("SELECT pg_try_advisory_lock_shared(:lock)")
        if not self._session.execute(beside, {"lock": _EARLIER_VERSIONS}).scalar_one():
            return False
        mine = sa.text(f"SELECT pg_try_advisory_lock({_OWN_LOCK})")
        return bool(self._session.execute(mine, {"worker": self.worker_id}).scalar_one())

    async def _leave(self) -> None:
        self._deaf()
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(DBAPIError):
                await _in_thread(session.close)

    async def _watched(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_S):
                    await self._stirred.wait()
            self._deaf()
            try:
                await _in_thread(self._answers)
            except DBAPIError as error:
                await self._regain(error)
            self._listen()

    async def _regain(self, error: DBAPIError) -> None:
        self._lost = True
        _log.warning("place among the workers lost", worker=self.worker_id, error=str(error.orig).splitlines()[0])
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._leave()
            with contextlib.suppress(DBAPIError):
                if await self._try():
                    break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        # Whatever ended this session may have ended the others' too: they get time to come back.
        self._judges_from, self._lost = time.monotonic() + self._grace_s, False
        _log.info("place among the workers taken again", worker=self.worker_id)

    def _answers(self) -> None:
        if self._session is not None:
            self._session.execute(sa.text("SELECT 1"))

    def _listen(self) -> None:
        """Be stirred when the server says something by itself, which it does as it ends the session."""
        self._stirred.clear()
        if self._session is not None:
            number: int = self._session.connection.driver_connection.fileno()  # type: ignore[union-attr]
            self._socket = number
            asyncio.get_running_loop().add_reader(number, self._stirred.set)

    def _deaf(self) -> None:
        """Hear nothing of what the server answers."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket = None

    def _refusal(self) -> str:
        return (
            "An auto-code process of an earlier version works on the database at DATABASE_URL. "
            "Stop it, or give this one its own."
        )


async def _in_thread(function: Callable[[], T]) -> T:
    """What it gives. A cancellation waits for it, because nobody else would close the connection that it opens."""
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise
