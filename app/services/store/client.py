"""The store over a database."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database import Database
from app.domain.redaction import Redactor
from app.errors import StoreUnavailable
from app.services.store import migrations
from app.services.store.exchange import LOOK_EVERY_S, Exchange
from app.services.store.outages import Outages
from app.services.store.sql import SqlStore
from app.services.store.transactions import LOOK_ALONE_EVERY_S, Body

T = TypeVar("T")

_PATIENCE_S = 300.0
"""Longer than a database takes to restart or to fail over, and shorter than the silence that ends a turn."""

_MOST_TRIES = 6
_COLLISIONS = frozenset({"40001", "40P01"})
"""What Postgres says to one of several transactions that got in each other's way: nothing was written; try again."""
_READ_ONLY = "25006"
"""What it says while it is no primary any more, or not yet."""


class DatabaseStore(SqlStore):
    """Writes in one thread on SQLite (it has one writer anyway), in several on Postgres; reads beside them."""

    def __init__(
        self,
        *,
        database: Database,
        patience_s: float = _PATIENCE_S,
        redactor: Redactor | None = None,
        look_every_s: float | None = None,
    ) -> None:
        look_every_s = look_every_s or (LOOK_ALONE_EVERY_S if database.embedded else LOOK_EVERY_S)
        super().__init__(redactor=redactor, patience_s=patience_s, look_every_s=look_every_s)
        self._database = database
        self._outages = Outages()
        self._writers = ThreadPoolExecutor(1 if database.embedded else 4, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")
        self._exchange: Exchange | None = None
        if not database.embedded:
            self._exchange = Exchange(engine=database.writer, signals=self._signals)

    @property
    def shared(self) -> bool:
        return not self._database.embedded

    async def start(self) -> None:
        await self._in(self._writers, lambda: migrations.upgrade(self._database))
        if self._exchange is not None:
            await self._exchange.start()

    async def stop(self) -> None:
        if self._exchange is not None:
            await self._exchange.stop()
        self._stopped = True
        for pool in (self._writers, self._readers):
            await asyncio.to_thread(pool.shutdown, wait=True)
        self._database.close()

    def _told(self, ticket: str, everywhere: bool) -> None:
        if self._exchange is not None:
            self._exchange.tell(ticket, listed=everywhere)

    def _whispered(self, ticket: str, text: str) -> None:
        if self._exchange is not None:
            self._exchange.write(ticket, text)

    async def _transact(self, body: Body[T], *, writes: bool) -> T:
        if self._stopped:
            raise StoreUnavailable("The service is stopping. Try again in a moment.")
        engine = self._database.writer if writes else self._database.reader
        began = time.monotonic()
        try:
            result = await self._in(self._writers if writes else self._readers, lambda: _settled(engine, body))
        except StoreUnavailable as error:
            self._outages.failed(error.message, began=began, writes=writes)
            raise
        self._outages.succeeded(writes=writes)
        return result

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        # Shielded: a transaction that began ends, whoever asked for it; else nobody could know whether it happened.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work))


def _settled(engine: sa.Engine, body: Body[T]) -> T:
    """Run the transaction, again where another one was in its way. Raises StoreUnavailable."""
    try:
        for _ in range(_MOST_TRIES - 1):
            try:
                return _once(engine, body)
            except DBAPIError as error:
                if not _collided(error):
                    raise
            time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - so that they do not meet again
        return _once(engine, body)
    except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
        if isinstance(error, InternalError) and _state(error) != _READ_ONLY:
            raise
        said = str(error.orig).splitlines()[0] if isinstance(error, DBAPIError) else "no connection is free"
        raise StoreUnavailable(f"The database did not answer: {said}. Try again in a moment.") from error


def _once(engine: sa.Engine, body: Body[T]) -> T:
    with engine.begin() as connection:
        return body(connection)


def _collided(error: DBAPIError) -> bool:
    """Whether the transaction may go through the next time.

    IntegrityError: somebody wrote the same between our look and our insert; what they wrote is there to be seen.
    """
    return isinstance(error, IntegrityError) or _state(error) in _COLLISIONS


def _state(error: DBAPIError) -> str | None:
    """Postgres's code of the error; SQLite has none."""
    return getattr(error.orig, "sqlstate", None)
