"""The store in memory: the same statements, on tables that end with the process."""

import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

import sqlalchemy as sa

from app.domain.redaction import Redactor
from app.errors import StoreUnavailable
from app.services.store import tables
from app.services.store.sql import Body, SqlStore

T = TypeVar("T")


class MockStore(SqlStore):
    """Answers at once, without a thread or a file. It outlives `stop`, as a database does.

    `away` makes it fail as a database that does not answer.
    """

    def __init__(self, *, redactor: Redactor | None = None) -> None:
        super().__init__(redactor=redactor)
        self.away = False
        self._engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
        weakref.finalize(self, self._engine.dispose)
        tables.metadata.create_all(self._engine)

    async def start(self) -> None:
        await self.check()

    async def stop(self) -> None:
        pass

    async def _patient(self, way: Callable[[Body[T]], Awaitable[T]], body: Body[T]) -> T:
        return await way(body)

    async def _write(self, body: Body[T]) -> T:
        return await self._read(body)

    async def _read(self, body: Body[T]) -> T:
        if self.away:
            raise StoreUnavailable("The database did not answer: it is away. Try again in a moment.")
        with self._engine.begin() as connection:
            return body(connection)
