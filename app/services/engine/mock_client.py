"""An engine without a database: a task a run, a journal in memory. It refuses what the real one refuses."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from app.services.engine.base import Engine, Said, Steps, Workflow

Journal = dict[tuple[str, str], str]


class RecordedSteps(Steps):
    """Steps that are recorded as JSON, so that what cannot be stored fails here as it would in a database."""

    def __init__(self, *, run_id: str, journal: Journal) -> None:
        super().__init__(retry_after_s=(0.0, 0.0, 0.0))
        self._run_id = run_id
        self._journal = journal

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        place = (self._run_id, name)
        if place not in self._journal:
            self._journal[place] = json.dumps(await body())
        recorded: Said = json.loads(self._journal[place])
        return recorded


class MockEngine(Engine):
    """Works off at most `concurrency` runs at once. The journal outlives `stop`, as a database would."""

    def __init__(self, *, concurrency: int = 4) -> None:
        self.journal: Journal = {}
        self._queued: dict[str, asyncio.Task[None] | None] = {}
        self._free = asyncio.Semaphore(concurrency)
        self._workflow: Workflow | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._loop = asyncio.get_running_loop()
        for run_id in self._queued:
            self._dispatch(run_id)

    async def stop(self) -> None:
        self._workflow = None
        tasks = [task for task in self._queued.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def enqueue(self, transaction: Any, run_id: str) -> None:  # noqa: ARG002 - there is no transaction to join
        if run_id in self._queued:
            return
        self._queued[run_id] = None
        if self._loop is not None and self._workflow is not None:
            self._loop.call_soon_threadsafe(self._dispatch, run_id)

    async def cancel(self, run_id: str) -> None:
        if (task := self._queued.pop(run_id, None)) is not None:
            task.cancel()

    async def unfinished(self) -> frozenset[str]:
        return frozenset(self._queued)

    def _dispatch(self, run_id: str) -> None:
        if run_id in self._queued and self._loop is not None:
            self._queued[run_id] = self._loop.create_task(self._work(run_id))

    async def _work(self, run_id: str) -> None:
        async with self._free:
            if self._workflow is None:
                return
            await self._workflow(run_id, RecordedSteps(run_id=run_id, journal=self.journal))
            self._queued.pop(run_id, None)
