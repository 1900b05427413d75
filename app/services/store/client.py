"""The store over a database."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database import Database
from app.domain.redaction import Redactor
from app.errors import StoreUnavailable
from app.services.store import migrations
from app.services.store.sql import Body, SqlStore

T = TypeVar("T")

_PATIENCE_S = 60.0
_TRY_AGAIN_S = 0.5


class DatabaseStore(SqlStore):
    """Writes in one thread on SQLite (it has one writer anyway), in several on Postgres; reads beside them.

    What a run does waits up to `patience_s` seconds for a database that is away.
    """

    def __init__(
        self, *, database: Database, patience_s: float = _PATIENCE_S, redactor: Redactor | None = None
    ) -> None:
        super().__init__(redactor=redactor)
        self._database = database
        self._patience_s = patience_s
        self._stopped = False
        self._writers = ThreadPoolExecutor(1 if database.embedded else 4, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")

    async def start(self) -> None:
        await self._in(self._writers, lambda: migrations.upgrade(self._database))

    async def stop(self) -> None:
        self._stopped = True
        for pool in (self._writers, self._readers):
            await asyncio.to_thread(pool.shutdown, wait=True)
        self._database.close()

    async def _patient(self, way: Callable[[Body[T]], Awaitable[T]], body: Body[T]) -> T:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                return await way(body)
            except StoreUnavailable:
                if self._stopped or time.monotonic() >= give_up:
                    raise
            await asyncio.sleep(_TRY_AGAIN_S)

    async def _write(self, body: Body[T]) -> T:
        def work() -> T:
            try:
                return _transaction(self._database.writer, body)
            except IntegrityError:
                # Somebody wrote the same between our look and our insert: what they wrote is there to be seen.
                return _transaction(self._database.writer, body)

        return await self._in(self._writers, work)

    async def _read(self, body: Body[T]) -> T:
        return await self._in(self._readers, lambda: _transaction(self._database.reader, body))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._stopped:
            raise StoreUnavailable("The service is stopping. Try again in a moment.")
        # Shielded: a transaction that began ends, whoever asked for it; else nobody could know whether it happened.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work))


def _transaction(engine: sa.Engine, body: Body[T]) -> T:
    try:
        with engine.begin() as connection:
            return body(connection)
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        said = str(error.orig).splitlines()[0] if isinstance(error, DBAPIError) else "no connection is free"
        raise StoreUnavailable(f"The database did not answer: {said}. Try again in a moment.") from error
