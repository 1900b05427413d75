"""The conductor over the store, the engine and the pipeline."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from app.domain.eligibility import delivery_names
from app.domain.run_state import has_ended, may_retry
from app.errors import Conflict, WorkFailed
from app.logger import get_logger
from app.models import Event, PipelineOptions, Receipt, Run, RunFilter, RunPage, RunStatus, Ticket, Trigger
from app.services.engine.base import Engine
from app.services.pipeline import Hands, Pipeline
from app.services.runner.base import Delivery, Runner
from app.services.runner.run_workflow import run_workflow
from app.services.store import Claim

_log = get_logger(__name__)

_REFRESH_EVERY_S = 1.0


class TicketRunner(Runner):
    """Claims tickets and has the engine work them off."""

    def __init__(self, *, hands: Hands, engine: Engine, pipeline: Pipeline, options: PipelineOptions) -> None:
        self._hands = hands
        self._store = hands.store
        self._engine = engine
        self._pipeline = pipeline
        self._options = options
        self._refreshed_at = -math.inf
        self._refreshing: set[asyncio.Task[None]] = set()
        self._opened = AsyncExitStack()

    async def start(self) -> None:
        hands = self._hands
        async with AsyncExitStack() as opened:
            # The database is this process's alone before anything is mended or migrated: until then another process may
            # still be at work on all of it. And it works last, ends first: no turn begins while its session ends.
            await self._engine.open()
            opened.push_async_callback(self._engine.release)
            await self._store.start()
            opened.push_async_callback(self._store.stop)
            await hands.github.start()
            await hands.langfuse.start()
            opened.push_async_callback(hands.langfuse.stop)
            await hands.claude_code.start()
            opened.push_async_callback(hands.claude_code.stop)
            await self._engine.start(run_workflow(store=self._store, pipeline=self._pipeline, langfuse=hands.langfuse))
            opened.push_async_callback(self._engine.stop)
            await self._reconcile()
            opened.push_async_callback(self._stop_refreshing)
            self._opened = opened.pop_all()

    async def stop(self) -> None:
        await self._opened.aclose()

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
        receipt = await self._store.claim(claim, self._engine.enqueue)
        _log.info("ticket taken", ticket=ticket.key, run=receipt.run_id, status=receipt.status, reason=receipt.reason)
        if receipt.status == "accepted":
            self._refresh_soon()
        return receipt

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
        # The status first: whatever the cancelled work says on its way out comes too late.
        await self._store.move(run_id, RunStatus.IDLE, outcome=f"Stopped by {by}. The work so far is kept.", by=by)
        await self._engine.cancel(run_id)
        _log.info("run stopped", run=run_id, ticket=run.ticket, by=by)
        return await self._store.run(run_id)

    async def retry_run(self, run_id: str) -> Receipt:
        run = await self._store.run(run_id)
        if not may_retry(run.status):
            raise Conflict(f"Run {run_id} is {run.status}; only one that ended without a pull request can be retried.")
        job = await self._store.job(run_id)
        return await self.handle_ticket(job.ticket, trigger=run.trigger, options=job.options)

    def _refresh_soon(self) -> None:
        """Fetch while the run waits for its turn; the run itself meets and says what goes wrong.

        One fetch serves a whole storm of tickets: to start a program for each would slow the answers to the others.
        """
        if time.monotonic() - self._refreshed_at < _REFRESH_EVERY_S:
            return
        self._refreshed_at = time.monotonic()

        async def refresh() -> None:
            try:
                await self._hands.github.refresh()
            except WorkFailed as error:
                _log.warning("early fetch failed", error=error.message)

        task = asyncio.create_task(refresh())
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _stop_refreshing(self) -> None:
        for task in self._refreshing:
            task.cancel()
        await asyncio.gather(*self._refreshing, return_exceptions=True)

    async def _reconcile(self) -> None:
        """A run that nobody works on any more must not look as if somebody did."""
        unfinished = await self._engine.unfinished()
        for run_id in await self._store.active():
            if run_id not in unfinished:
                _log.error("run without work", run=run_id)
                error = "The service ended again and again while it worked on this run. Look at its log, then retry it."
                await self._store.move(run_id, RunStatus.FAILED, error=error)
