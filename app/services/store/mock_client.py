"""The store in memory: the same statements, on tables that end with the process."""

import weakref
from typing import Self, TypeVar

import sqlalchemy as sa

from app.domain.redaction import Redactor
from app.errors import StoreUnavailable
from app.services.store import tables
from app.services.store.sql import SqlStore
from app.services.store.transactions import Body

T = TypeVar("T")


class MockStore(SqlStore):
    """Answers at once, without a thread or a file. It outlives `stop`, as a database does.

    `away` makes it fail as a database that does not answer. `beside` is another one on the same tables, as another
    process has it, and `shared` is what it says of itself.
    """

    def __init__(self, *, redactor: Redactor | None = None, beside: Self | None = None, shared: bool = False) -> None:
        super().__init__(redactor=redactor)
        self.away = False
        self._shared = shared
        self.engine: sa.Engine = _tables_in_memory() if beside is None else beside.engine
        if beside is None:
            weakref.finalize(self, self.engine.dispose)

    @property
    def shared(self) -> bool:
        return self._shared

    async def start(self) -> None:
        await self.check()

    async def stop(self) -> None:
        pass

    async def _transact(self, body: Body[T], *, writes: bool) -> T:  # noqa: ARG002 - one connection is for both
        if self.away:
            raise StoreUnavailable("The database did not answer: it is away. Try again in a moment.")
        with self.engine.begin() as connection:
            return body(connection)


def _tables_in_memory() -> sa.Engine:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    tables.metadata.create_all(engine)
    return engine
