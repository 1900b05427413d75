"""Engines on one database, one after the other as processes come and go, and workflows to give them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import sqlalchemy as sa

from app.database import Database
from app.services.engine import Engine, Steps, Workflow
from app.services.engine.client import DbosEngine
from app.services.engine.mock_client import Journal, MockEngine

_ALL = "*"

PATIENCE_S = 0.1
"""How long these engines' steps wait for a model that is overloaded."""

LIMIT_S = 20.0
"""How long a test waits for what must happen."""


class Place(ABC):
    """What outlives an engine."""

    def __init__(self) -> None:
        self._running = AsyncExitStack()

    @abstractmethod
    def engine(self, *, concurrency: int = 4) -> Engine:
        """Another process' engine."""

    @abstractmethod
    async def enqueue(self, engine: Engine, *run_ids: str, commit: bool = True) -> None:
        """Queue runs in one transaction, which is committed or rolled back."""

    async def start(self, workflow: Workflow, *, concurrency: int = 4) -> Engine:
        """An engine that works."""
        engine = self.engine(concurrency=concurrency)
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
    def __init__(self) -> None:
        super().__init__()
        self._journal = Journal()
        self._database = sa.create_engine("sqlite://", poolclass=sa.StaticPool)

    async def close(self) -> None:
        await super().close()
        self._database.dispose()

    def engine(self, *, concurrency: int = 4) -> Engine:
        return MockEngine(concurrency=concurrency, journal=self._journal)

    async def enqueue(self, engine: Engine, *run_ids: str, commit: bool = True) -> None:
        with self._database.connect() as connection:
            for run_id in run_ids:
                engine.enqueue(connection, run_id)
            connection.execute(sa.text("SELECT 1"))
            (connection.commit if commit else connection.rollback)()


class InDatabase(Place):
    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def engine(self, *, concurrency: int = 4) -> Engine:
        return DbosEngine(
            database=self._database,
            concurrency=concurrency,
            retry_after_s=(0.01, 0.01, 0.01),
            patience_s=PATIENCE_S,
            lock_wait_s=0.3,
        )

    async def enqueue(self, engine: Engine, *run_ids: str, commit: bool = True) -> None:
        def transaction() -> None:
            with self._database.writer.connect() as connection:
                for run_id in run_ids:
                    engine.enqueue(connection, run_id)
                if commit:
                    connection.commit()

        await asyncio.to_thread(transaction)

    async def close(self) -> None:
        await super().close()
        self._database.close()


class Record:
    """A workflow of steps that are told by name, and what became of them. Those in `held` wait until let go."""

    def __init__(self, *names: str, held: frozenset[str] = frozenset()) -> None:
        self._names = names
        self._held = held
        self._free: set[str] = set()
        self._news = asyncio.Condition()
        self.begun: list[tuple[str, str]] = []
        self.cancelled: list[tuple[str, str]] = []
        self.results: dict[str, list[Any]] = {}
        self.errors: dict[str, Exception] = {}
        self.at_work: set[str] = set()
        self.most_at_work = 0

    async def __call__(self, run_id: str, steps: Steps) -> None:
        """The workflow."""
        results = [await steps.run(name, self._step(run_id, name), str) for name in self._names]
        await self._say(lambda: self.results.update({run_id: results}))

    async def let_go(self, *run_ids: str) -> None:
        """Let held steps of these runs end; without names, of all."""
        await self._say(lambda: self._free.update(run_ids or {_ALL}))

    async def until(self, happened: Callable[[], bool]) -> None:
        """Return when it has happened."""
        async with asyncio.timeout(LIMIT_S), self._news:
            await self._news.wait_for(happened)

    async def until_at_work(self, count: int) -> None:
        """Return when so many runs are in a step, or more."""
        await self.until(lambda: len(self.at_work) >= count)

    async def until_ended(self, count: int) -> None:
        """Return when so many runs have ended."""
        await self.until(lambda: len(self.results) >= count)

    def _step(self, run_id: str, name: str) -> Callable[[], Awaitable[str]]:
        async def step() -> str:
            self.at_work.add(run_id)
            self.most_at_work = max(self.most_at_work, len(self.at_work))
            await self._say(lambda: self.begun.append((run_id, name)))
            try:
                if name in self._held:
                    await self.until(lambda: bool(self._free & {run_id, _ALL}))
            except asyncio.CancelledError:
                self.cancelled.append((run_id, name))
                raise
            finally:
                self.at_work.discard(run_id)
            return f"{name} of {run_id}, begun as number {len(self.begun)}"

        return step

    async def _say(self, change: Callable[[], None]) -> None:
        async with self._news:
            change()
            self._news.notify_all()
