"""This worker among the others: its heartbeat, what it does, and who of the others must be stood in for."""

import asyncio
import math
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from app.domain.workforce import Watch, alive, amiss, takes_work
from app.errors import StoreUnavailable
from app.logger import get_logger
from app.results import Worker, WorkerState
from app.services.engine.base import Engine
from app.services.runner.disk import Disk
from app.services.store.base import Store

_log = get_logger(__name__)

_BEAT_S = 5.0
_LAST_WORD_S = 2.0
"""For taking leave of a database that may be away."""


class Presence:
    """Says every 5 seconds that the worker is alive, and looks at the others and at the disk.

    While the disk is too full the engine takes nothing new. Workers that hang, alive for the engine but silent here,
    are stood in for.
    """

    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        disk: Disk,
        beat_s: float = _BEAT_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._engine = engine
        self._disk = disk
        self._beat_s = beat_s
        self._now = now
        self._draining = False
        self._shortage = ""
        self._others: tuple[Worker, ...] = ()
        self._watch: Watch | None = None
        self._manned_at = math.inf
        self._missed = False
        self._beating: asyncio.Task[None] | None = None

    @property
    def state(self) -> WorkerState:
        """What the worker does."""
        if self._draining:
            return WorkerState.DRAINING
        return WorkerState.FULL if self._shortage else WorkerState.WORKING

    @property
    def shortage(self) -> str:
        """Why the disk lets nothing begin; empty while it does."""
        return self._shortage

    @property
    def notice(self) -> str:
        """What is amiss with this worker and the others, in sentences for everybody."""
        return amiss((self._worker(), *self._others), unmanned_s=self._now() - self._manned_at)

    async def start(self) -> None:
        """Look and speak for the first time, before the engine begins, and from then on."""
        self._manned_at = self._now()
        await self.beat()
        self._beating = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """Fall silent, and take leave."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait({self._beating})
            self._beating = None
        try:
            async with asyncio.timeout(_LAST_WORD_S):
                await self._store.leave(self._engine.worker_id)
        except (StoreUnavailable, TimeoutError):
            _log.info("left without a word", worker=self._engine.worker_id)

    def drain(self) -> None:
        """The worker begins nothing more; its next heartbeat says so."""
        self._draining = True

    async def beat(self) -> None:
        """Look at the disk and the others, and say what the worker does. What the database does not answer is asked
        again with the next beat.
        """
        await self._look_at_disk()
        try:
            await self._look_at_others()
            await self._store.beat(self._worker())
        except StoreUnavailable as error:
            if not self._missed:
                _log.warning("heartbeat missed", error=error.message)
            self._missed = True
            if self._watch is not None:
                self._watch.missed()
        else:
            self._missed = False

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            await self.beat()

    async def _look_at_disk(self) -> None:
        before, self._shortage = self._shortage, await self._disk.shortage()
        if self._shortage and not before:
            self._engine.pause()
            _log.error("disk is full", reason=self._shortage)
        elif before and not self._shortage:
            self._engine.resume()
            _log.info("disk has room again")

    async def _look_at_others(self) -> None:
        own = self._engine.worker_id
        known = await self._store.workers()
        self._others = tuple(each for each in alive(known) if each.id != own)
        if any(map(takes_work, (self._worker(), *self._others))):
            self._manned_at = self._now()
        self._watch = self._watch or Watch(own=own)
        hung = self._watch.hung({each.id: ago_s for each, ago_s in known}, now=self._now())
        if hung:
            _log.warning("workers hang", workers=sorted(hung))
            await self._engine.take_over(hung)
            for each in hung:  # one that wakes up says so
                await self._store.leave(each)

    def _worker(self) -> Worker:
        at = datetime.now(UTC)
        return Worker(
            id=self._engine.worker_id,
            host=socket.gethostname(),
            state=self.state,
            note=self._shortage,
            at_work=len(self._engine.under_way),
            started_at=at,
            seen_at=at,
        )
