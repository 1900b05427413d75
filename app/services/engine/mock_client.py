"""An engine without a database: a task a work, a journal in memory. It refuses what the real one refuses."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, NoReturn

import sqlalchemy as sa

from app.errors import ConfigurationError
from app.models import Work
from app.services.engine.base import LEAVES, Ending, Engine, Patience, Said, Steps, Workflow
from app.services.engine.dispatching import Limits, Queued, next_works

_NUMBERS = count(1)


@dataclass
class Journal:
    """What outlives a process: which works are unfinished, in their order, and the steps of all works, as JSON.

    One engine at a time works on it, or any number where it is `shared`.
    """

    unfinished: dict[str, Work] = field(default_factory=dict)
    steps: dict[str, dict[int, tuple[str, str]]] = field(default_factory=dict)
    shared: bool = False
    engines: "dict[str, MockEngine]" = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)

    def dispatch(self) -> None:
        """Let each engine begin what it may."""
        for engine in list(self.engines.values()):
            engine.fill()

    def end(self, work_id: str) -> None:
        """Say that a work is done."""
        if self.unfinished.pop(work_id, None) is not None:
            self.ended[work_id] = datetime.now(UTC)

    def leave(self, worker: str) -> None:
        """Queue again what a worker was in the middle of."""
        self.holders = {work: holder for work, holder in self.holders.items() if holder != worker}
        self.dispatch()


class RecordedSteps(Steps):
    """Steps that are recorded as JSON by their place in the work, so that what a database would refuse fails here."""

    def __init__(self, *, work_id: str, journal: Journal, ending: Ending, park: Callable[[], None]) -> None:
        super().__init__(patience=Patience(retry_after_s=(0.0, 0.0, 0.0), overload_s=0.1), ending=ending)
        self._work_id = work_id
        self._journal = journal
        self._holder = journal.holders.get(work_id)
        self._leave = park
        self._begun = 0

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        recorded = self._journal.steps.setdefault(self._work_id, {})
        place, self._begun = self._begun, self._begun + 1
        if place not in recorded:
            self._refuse_when_lost()
            said = json.dumps(await body())
            self._refuse_when_lost()
            recorded[place] = name, said
        known, said = recorded[place]
        if known != name:
            raise RuntimeError(f"Step {place} of {self._work_id} was recorded as {known!r} when {name!r} was expected.")
        replayed: Said = json.loads(said)
        return replayed

    async def _advanced(self) -> None:
        pass

    async def _park(self) -> NoReturn:
        self._leave()
        await asyncio.Event().wait()
        raise asyncio.CancelledError

    def _refuse_when_lost(self) -> None:
        cancelled = self._work_id not in self._journal.unfinished
        if cancelled or self._journal.holders.get(self._work_id) != self._holder:
            raise asyncio.CancelledError


class MockEngine(Engine):
    """Works off at most `concurrency` works at once. Another one that is given the same journal goes on after `stop`.

    What was enqueued in a transaction is queued when that commits.
    """

    def __init__(
        self,
        *,
        concurrency: int = 4,
        total: int | None = None,
        per_bucket: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.journal = journal or Journal()
        self._limits = Limits(worker=concurrency, total=total, per_bucket=per_bucket)
        self._worker_id = f"mock-{next(_NUMBERS)}" if self.journal.shared else "mock"
        self._workflow: Workflow | None = None
        self._ending = Ending()
        self._paused = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._parked = set[str]()

    @property
    def worker_id(self) -> str:
        return self._worker_id

    async def open(self) -> None:
        if self._worker_id in self.journal.engines:
            raise ConfigurationError("Another engine works on this journal. Stop it first.")
        self.journal.engines[self._worker_id] = self

    async def release(self) -> None:
        if self.journal.engines.get(self._worker_id) is self:
            del self.journal.engines[self._worker_id]

    async def start(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self.fill()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self.fill()

    def drain(self) -> None:
        self._ending.drained.set()

    def halt(self) -> None:
        self._ending.halted.set()
        self.drain()

    async def stop(self) -> None:
        await self.die()
        self.journal.leave(self._worker_id)

    async def die(self) -> None:
        """End as a process that is killed: nothing that it was in the middle of is handed back."""
        self.halt()
        self._workflow = None
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def enqueue(self, transaction: Any, work: Work) -> None:
        sa.event.listen(transaction, "commit", lambda _: self._queue(work), once=True)

    async def cancel(self, work_id: str) -> None:
        self.journal.end(work_id)
        for engine in list(self.journal.engines.values()):
            engine.cut(work_id)

    @property
    def under_way(self) -> frozenset[str]:
        return frozenset(self._tasks)

    async def unfinished(self) -> Mapping[str, str | None]:
        return {work_id: self.journal.holders.get(work_id) for work_id in self.journal.unfinished}

    async def take_over(self, workers: Collection[str]) -> None:
        for worker in set(workers) - {self._worker_id}:
            self.journal.leave(worker)

    async def forget(self, before: datetime) -> int:
        gone = [work_id for work_id, ended in self.journal.ended.items() if ended < before]
        for work_id in gone:
            del self.journal.ended[work_id], self.journal.steps[work_id]
        return len(gone)

    def cut(self, work_id: str) -> None:
        """Cancel what this engine does for a work."""
        if (task := self._tasks.get(work_id)) is not None:
            task.cancel()

    def fill(self) -> None:
        """Begin what may begin."""
        if self._workflow is None or self._paused or self._ending.drained.is_set():
            return
        at_work = Counter(self.journal.unfinished[work_id].bucket for work_id in self._held())
        room = self._limits.room(here=len(self._tasks), everywhere=at_work.total())
        for work_id in next_works(self._waiting(), at_work, room=room, limits=self._limits):
            self.journal.holders[work_id] = self._worker_id
            self._parked.discard(work_id)
            task = asyncio.create_task(self._work(work_id, self._workflow))
            self._tasks[work_id] = task
            task.add_done_callback(partial(self._ended, work_id))

    def _held(self) -> list[str]:
        return [work_id for work_id in self.journal.unfinished if work_id in self.journal.holders]

    def _waiting(self) -> list[Queued]:
        waiting = [work for work in self.journal.unfinished.values() if work.id not in self.journal.holders]
        in_order = sorted(waiting, key=lambda work: work.priority)
        return [
            Queued(id=work.id, bucket=work.bucket, priority=work.priority, place=place, queued_at_ms=place)
            for place, work in enumerate(in_order, 1)
            if work.id not in self._tasks
        ]

    def _queue(self, work: Work) -> None:
        if work.id in self.journal.unfinished or work.id in self.journal.steps:
            return
        self.journal.unfinished[work.id] = work
        self.journal.steps[work.id] = {}
        self.journal.dispatch()

    async def _work(self, work_id: str, workflow: Workflow) -> None:
        park = partial(self._park, work_id)
        steps = RecordedSteps(work_id=work_id, journal=self.journal, ending=self._ending, park=park)
        try:
            await workflow(work_id, steps)
        except LEAVES:
            self._parked.add(work_id)

    def _park(self, work_id: str) -> None:
        self._parked.add(work_id)
        self.cut(work_id)

    def _ended(self, work_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(work_id, None)
        left = task.cancelled() or work_id in self._parked
        self._parked.discard(work_id)
        if self.journal.holders.get(work_id) == self._worker_id and self._workflow is not None:
            del self.journal.holders[work_id]
            if not left:
                self.journal.end(work_id)
        if not task.cancelled():
            task.exception()  # a workflow that raises is done, as in a database; nobody else looks at its error
        self.journal.dispatch()
