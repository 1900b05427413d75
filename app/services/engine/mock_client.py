"""An engine without a database: a task a run, a journal in memory. It refuses what the real one refuses."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from app.errors import ConfigurationError
from app.services.engine.base import Engine, Said, Steps, Workflow


@dataclass
class Journal:
    """What outlives a process: which runs are unfinished, in their order, and the steps of all runs, as JSON."""

    unfinished: dict[str, None] = field(default_factory=dict)
    steps: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)
    owned: bool = False


class RecordedSteps(Steps):
    """Steps that are recorded as JSON by their place in the run, so that what a database would refuse fails here."""

    def __init__(self, *, run_id: str, journal: Journal) -> None:
        super().__init__(retry_after_s=(0.0, 0.0, 0.0), patience_s=0.1)
        self._run_id = run_id
        self._journal = journal
        self._begun = 0

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        recorded = self._journal.steps.setdefault(self._run_id, {})
        place, self._begun = self._begun, self._begun + 1
        if place not in recorded:
            self._refuse_when_cancelled()
            said = json.dumps(await body())
            self._refuse_when_cancelled()
            recorded[place] = name, said
        known, said = recorded[place]
        if known != name:
            raise RuntimeError(f"Step {place} of {self._run_id} was recorded as {known!r} when {name!r} was expected.")
        replayed: Said = json.loads(said)
        return replayed

    def _refuse_when_cancelled(self) -> None:
        if self._run_id not in self._journal.unfinished:
            raise asyncio.CancelledError


class MockEngine(Engine):
    """Works off at most `concurrency` runs at once. Another one that is given the same journal goes on after `stop`.

    What was enqueued in a transaction is queued when that commits.
    """

    def __init__(self, *, concurrency: int = 4, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self._free = asyncio.Semaphore(concurrency)
        self._workflow: Workflow | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        if self.journal.owned:
            raise ConfigurationError("Another engine works on this journal. Stop it first.")
        self.journal.owned = True

    async def release(self) -> None:
        self.journal.owned = False

    async def start(self, workflow: Workflow) -> None:
        self._workflow = workflow
        for run_id in self.journal.unfinished:
            self._dispatch(run_id)

    async def stop(self) -> None:
        self._workflow = None
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def enqueue(self, transaction: Any, run_id: str) -> None:
        sa.event.listen(transaction, "commit", lambda _: self._queue(run_id), once=True)

    async def cancel(self, run_id: str) -> None:
        self.journal.unfinished.pop(run_id, None)
        if (task := self._tasks.get(run_id)) is not None:
            task.cancel()

    async def unfinished(self) -> frozenset[str]:
        return frozenset(self.journal.unfinished)

    def _queue(self, run_id: str) -> None:
        if run_id in self.journal.unfinished or run_id in self.journal.steps:
            return
        self.journal.unfinished[run_id] = None
        self.journal.steps[run_id] = {}
        self._dispatch(run_id)

    def _dispatch(self, run_id: str) -> None:
        if self._workflow is not None:
            task = asyncio.create_task(self._work(run_id, self._workflow))
            self._tasks[run_id] = task
            task.add_done_callback(partial(self._ended, run_id))

    async def _work(self, run_id: str, workflow: Workflow) -> None:
        async with self._free:
            await workflow(run_id, RecordedSteps(run_id=run_id, journal=self.journal))

    def _ended(self, run_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(run_id, None)
        if not task.cancelled():
            task.exception()  # a workflow that raises is done, as in a database; nobody else looks at its error
            self.journal.unfinished.pop(run_id, None)
