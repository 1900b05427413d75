"""The conductor over the store, the engine and the pipeline."""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.domain.eligibility import Starters
from app.domain.model_limits import Standing
from app.errors import StoreUnavailable, WorkFailed
from app.logger import get_logger
from app.models import PipelineOptions, Receipt, Work
from app.results import WorkerState
from app.services.engine.base import Engine
from app.services.pipeline import Hands, Pipeline
from app.services.runner.caretaking import Caretaker
from app.services.runner.desk import Desk
from app.services.runner.disk import Disk
from app.services.runner.executions import Executions
from app.services.runner.presence import Presence
from app.services.runner.reconciling import reconcile
from app.services.runner.run_workflow import run_workflow
from app.services.tracker.base import Tracker

_log = get_logger(__name__)

_REFRESH_EVERY_S = 1.0
_LAST_STEP_S = 5.0
"""For steps to end, once no further one begins; not more than works had before."""
_LOOK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a run may be worked on, and works may go on when the process is to end, in seconds; and their disk."""

    job_s: float = 5400.0
    drain_s: float = 30.0
    disk: Disk = field(default_factory=lambda: Disk(directory=Path(), min_free_gb=0))


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
        limits: Limits = Limits(),
        care: Caretaker | None = None,
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
        self._limits = limits
        self._care = care
        self._presence = Presence(store=hands.store, engine=engine, disk=limits.disk)
        self._executions = Executions(store=hands.store, limit_s=limits.job_s)
        self._draining: asyncio.Task[None] | None = None
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
            if self._care is not None:
                await opened.enter_async_context(self._care.inside())
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
            opened.push_async_callback(self._presence.stop)
            await self._presence.start()
            await self._engine.start(self._workflow())
            opened.push_async_callback(self._engine.stop)
            await reconcile(store=self._store, engine=self._engine)
            opened.push_async_callback(self._stop_refreshing)
            if self._care is not None:
                await opened.enter_async_context(self._care.at_work())
            self._opened = opened.pop_all()

    async def drain(self) -> None:
        if self._draining is None:
            _log.info("draining", tickets=self.at_work, at_most_s=self._limits.drain_s)
            self._presence.drain()
            self._engine.drain()
            self._draining = asyncio.create_task(self._leave_off())
        await asyncio.shield(self._draining)

    async def stop(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
        await self._opened.aclose()

    @property
    def state(self) -> WorkerState:
        return self._presence.state

    @property
    def at_work(self) -> tuple[str, ...]:
        return self._executions.tickets

    @property
    def notice(self) -> str:
        return self._presence.notice

    async def hindrances(self) -> Mapping[str, str]:
        found = {"disk": self._presence.shortage, "model": _closed_by(self.standing)}
        if self.state is WorkerState.DRAINING:
            found["draining"] = "This process ends what it has begun, and takes nothing new."
        try:
            await self.check()
        except StoreUnavailable as error:
            found["database"] = error.message
        return {about: said for about, said in found.items() if said}

    @property
    def standing(self) -> Standing:
        return self._hands.gateway.standing

    async def _leave_off(self) -> None:
        if not await self._is_quiet(within_s=self._limits.drain_s):
            self._engine.halt()
            if not await self._is_quiet(within_s=min(_LAST_STEP_S, self._limits.drain_s)):
                _log.warning("cut in a step", tickets=self.at_work)

    async def _is_quiet(self, *, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while self._engine.under_way:  # noqa: ASYNC110 - works that end tell nobody
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            return False
        return True

    async def _read_next(self) -> tuple[Path, ...]:
        """The git directory that the next session will most likely read: the default repository's."""
        names = self._repositories.names
        common = self._repositories.of(names[0]).common if names else None
        return (common,) if common is not None else ()

    def _workflow(self) -> Any:
        return run_workflow(
            store=self._store,
            pipeline=self._pipeline,
            langfuse=self._hands.langfuse,
            enqueue=self._enqueue,
            executions=self._executions,
            worker=self._engine.worker_id,
        )

    def _enqueue(self, transaction: Any, work: Work) -> None:
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


def _closed_by(standing: Standing) -> str:
    """Why the model takes no requests of anybody; empty while it does."""
    if standing.state == "open":
        return ""
    until = f" It is asked again at {standing.until:%H:%M} UTC." if standing.until is not None else ""
    return f"{standing.reason}{until}"
