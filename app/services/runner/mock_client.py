"""A runner that takes tickets and works on none: for doors."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from app.domain.eligibility import delivery_names
from app.domain.run_state import has_ended, may_retry
from app.errors import Conflict
from app.models import Event, PipelineOptions, Receipt, Run, RunFilter, RunPage, RunStatus, Ticket, Trigger
from app.services.runner.base import Delivery, Runner
from app.services.store.base import Claim, Store


class MockRunner(Runner):
    """Keeps tickets in `store`, where a test says what happens in their runs. `queued` are the runs in their order."""

    def __init__(self, *, store: Store, options: PipelineOptions | None = None) -> None:
        self._store = store
        self._options = options or PipelineOptions()
        self.queued: list[str] = []

    async def start(self) -> None:
        await self._store.start()

    async def stop(self) -> None:
        await self._store.stop()

    async def check(self) -> None:
        await self._store.check()

    async def handle_ticket(
        self,
        ticket: Ticket,
        *,
        trigger: Trigger,
        delivery: Delivery = Delivery(),  # noqa: B008 - frozen
        options: PipelineOptions | None = None,
    ) -> Receipt:
        names = tuple(delivery_names(delivery_id=delivery.id, digest=delivery.digest, now=datetime.now(UTC)))
        claim = Claim(ticket=ticket, trigger=trigger, options=options or self._options, deliveries=names)
        return await self._store.claim(claim, self._enqueue)

    async def run(self, run_id: str) -> Run:
        return await self._store.run(run_id)

    async def runs(self, wanted: RunFilter) -> RunPage:
        return await self._store.runs(wanted)

    async def events(self, run_id: str, *, after: int, limit: int) -> Sequence[Event]:
        return await self._store.events(run_id, after=after, limit=limit)

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        return self._store.follow(run_id, after=after)

    async def stop_run(self, run_id: str, *, by: str) -> Run:
        run = await self._store.run(run_id)
        if has_ended(run.status):
            raise Conflict(f"Run {run_id} has ended ({run.status}); there is nothing to stop.")
        await self._store.move(run_id, RunStatus.IDLE, outcome=f"Stopped by {by}. The work so far is kept.", by=by)
        return await self._store.run(run_id)

    async def retry_run(self, run_id: str) -> Receipt:
        run = await self._store.run(run_id)
        if not may_retry(run.status):
            raise Conflict(f"Run {run_id} is {run.status}; only one that ended without a pull request can be retried.")
        job = await self._store.job(run_id)
        return await self.handle_ticket(job.ticket, trigger=run.trigger, options=job.options)

    def _enqueue(self, transaction: Any, run_id: str) -> None:
        transaction.append(lambda: self.queued.append(run_id))
