"""The conductor over the store, the engine and the pipeline."""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from app.domain.eligibility import Starters
from app.domain.model_limits import Standing
from app.errors import WorkFailed
from app.logger import get_logger
from app.models import PipelineOptions, Receipt, RunStatus
from app.services.engine.base import Engine
from app.services.pipeline import Hands, Pipeline
from app.services.runner.desk import Desk
from app.services.runner.run_workflow import run_workflow
from app.services.tracker.base import Tracker

_log = get_logger(__name__)

_REFRESH_EVERY_S = 1.0


class TicketRunner(Desk):
    """Claims tickets and has the engine work them off."""

    def __init__(
        self,
        *,
        hands: Hands,
        engine: Engine,
        pipeline: Pipeline,
        tracker: Tracker,
        options: PipelineOptions,
        models: Mapping[str, str],
        starters: Starters = Starters(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(
            store=hands.store,
            tracker=tracker,
            repositories=hands.repositories,
            options=options,
            models=models,
            starters=starters,
        )
        self._hands = hands
        self._engine = engine
        self._pipeline = pipeline
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
            await hands.repositories.start()
            await hands.langfuse.start()
            opened.push_async_callback(hands.langfuse.stop)
            await hands.sandbox.start()
            opened.push_async_callback(hands.sandbox.stop)
            await hands.gateway.start()
            opened.push_async_callback(hands.gateway.stop)
            await hands.claude_code.start(reads=await self._read_next())
            opened.push_async_callback(hands.claude_code.stop)
            opened.push_async_callback(self._tracker.stop)
            await self._engine.start(self._workflow())
            opened.push_async_callback(self._engine.stop)
            await self._reconcile()
            opened.push_async_callback(self._stop_refreshing)
            self._opened = opened.pop_all()

    async def stop(self) -> None:
        await self._opened.aclose()

    @property
    def standing(self) -> Standing:
        return self._hands.gateway.standing

    async def _read_next(self) -> tuple[Path, ...]:
        """The git directory that the next session will most likely read: the default repository's."""
        names = self._repositories.names
        common = self._repositories.of(names[0]).common if names else None
        return (common,) if common is not None else ()

    def _workflow(self) -> Any:
        return run_workflow(
            store=self._store, pipeline=self._pipeline, langfuse=self._hands.langfuse, enqueue=self._enqueue
        )

    def _enqueue(self, transaction: Any, work: str) -> None:
        self._engine.enqueue(transaction, work)

    async def _cancel(self, work: str) -> None:
        await self._engine.cancel(work)

    def _taken(self, receipt: Receipt) -> Receipt:
        _log.info("ticket taken", ticket=receipt.ticket, run=receipt.run_id, status=receipt.status)
        if receipt.status == "accepted":
            self._refresh_soon()
        return receipt

    def _refresh_soon(self) -> None:
        """Fetch while the run waits for its turn; the run itself meets and says what goes wrong.

        One fetch serves a whole storm of tickets: to start a program for each would slow the answers to the others.
        """
        names = self._repositories.names
        if not names or time.monotonic() - self._refreshed_at < _REFRESH_EVERY_S:
            return
        self._refreshed_at = time.monotonic()

        async def refresh() -> None:
            try:
                await self._repositories.of(names[0]).refresh()
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
        for run_id, work in await self._store.in_work():
            if work not in unfinished:
                _log.error("run without work", run=run_id)
                error = "The service ended again and again while it worked on this run. Look at its log, then retry it."
                await self._store.move(run_id, RunStatus.FAILED, error=error)
