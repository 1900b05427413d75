"""Engines on one database, one after the other as processes come and go."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import sqlalchemy as sa

from app.database import Database
from app.models import Work
from app.services.engine import Engine, Workflow
from app.services.engine.base import Patience
from app.services.engine.client import DbosEngine
from app.services.engine.mock_client import Journal, MockEngine
from tests.contracts.records import LIMIT_S

PATIENCE_S = 0.1
"""How long these engines' steps wait for a model that is overloaded."""

SWEEP_S = 0.2
"""How often these engines look for works of the dead."""


def work_of(named: str | Work) -> Work:
    """The work itself, or one by its id, of no special bucket and urgency."""
    return named if isinstance(named, Work) else Work(id=named, bucket="PROJ", priority=3)


class Place(ABC):
    """What outlives an engine."""

    def __init__(self) -> None:
        self._running = AsyncExitStack()

    @abstractmethod
    def engine(self, *, concurrency: int = 4, total: int | None = None, per_bucket: int | None = None) -> Engine:
        """Another process' engine."""

    @abstractmethod
    async def enqueue(self, engine: Engine, *works: str | Work, commit: bool = True) -> None:
        """Queue works in one transaction, which is committed or rolled back."""

    async def start(
        self, workflow: Workflow, *, concurrency: int = 4, total: int | None = None, per_bucket: int | None = None
    ) -> Engine:
        """An engine that works."""
        engine = self.engine(concurrency=concurrency, total=total, per_bucket=per_bucket)
        await engine.open()
        self._running.push_async_callback(engine.release)
        await engine.start(workflow)
        self._running.push_async_callback(engine.stop)
        return engine

    async def stop(self) -> None:
        """Stop the engine that works, as a service that ends does."""
        await self._running.aclose()

    async def close(self) -> None:
        """Leave nothing open."""
        await self.stop()


class InMemory(Place):
    def __init__(self, journal: Journal | None = None) -> None:
        super().__init__()
        self._journal = journal or Journal()
        self._database = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    async def close(self) -> None:
        await super().close()
        self._database.dispose()

    def engine(self, *, concurrency: int = 4, total: int | None = None, per_bucket: int | None = None) -> Engine:
        return MockEngine(concurrency=concurrency, total=total, per_bucket=per_bucket, journal=self._journal)

    async def enqueue(self, engine: Engine, *works: str | Work, commit: bool = True) -> None:
        with self._database.connect() as connection:
            for work in works:
                engine.enqueue(connection, work_of(work))
            connection.execute(sa.text("SELECT 1"))
            (connection.commit if commit else connection.rollback)()


class InDatabase(Place):
    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def url(self) -> str:
        """Where the database is."""
        return self._database.url

    def engine(self, *, concurrency: int = 4, total: int | None = None, per_bucket: int | None = None) -> Engine:
        return DbosEngine(
            database=self._database,
            concurrency=concurrency,
            total=total,
            per_bucket=per_bucket,
            patience=Patience(retry_after_s=(0.01, 0.01, 0.01), overload_s=PATIENCE_S),
            lock_wait_s=0.3,
            sweep_s=SWEEP_S,
        )

    async def enqueue(self, engine: Engine, *works: str | Work, commit: bool = True) -> None:
        def transaction() -> None:
            with self._database.writer.connect() as connection:
                for work in works:
                    engine.enqueue(connection, work_of(work))
                if commit:
                    connection.commit()

        await asyncio.to_thread(transaction)

    async def close(self) -> None:
        await super().close()
        self._database.close()


async def idle(engine: Engine) -> None:
    """Return when the engine has nothing left to do."""
    await until(lambda: is_unfinished(engine, set()))


async def nothing_under_way(engine: Engine) -> None:
    """Return when the engine is in the middle of nothing."""
    await until(lambda: given(not engine.under_way))


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return when it is so: neither databases nor steps tell anybody."""
    async with asyncio.timeout(LIMIT_S):
        while not await is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def is_unfinished(engine: Engine, works: set[str]) -> bool:
    """Whether just these works wait or are worked on."""
    return set(await engine.unfinished()) == works


async def given(value: Any) -> Any:
    """The value itself."""
    return value
