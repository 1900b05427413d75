"""Finds works that nobody works on, whoever had begun them, and executions here that others have taken over."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping

from app.logger import get_logger
from app.services.engine.durable_steps import Execution
from app.services.engine.outage import Outage
from app.services.engine.ownership import Ownership
from app.services.engine.queue import Queue

_log = get_logger(__name__)


class Sweeper:
    """Looks every `every_s` seconds. `recorded_soon` gives executions that have ended but for DBOS's record of it;
    `on_work` hears that there may be something to begin.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        ownership: Ownership,
        executions: Mapping[str, Execution],
        recorded_soon: Callable[[], Collection[str]],
        on_work: Callable[[], None],
        every_s: float,
    ) -> None:
        self._queue = queue
        self._ownership = ownership
        self._executions = executions
        self._recorded_soon = recorded_soon
        self._on_work = on_work
        self._every_s = every_s
        self._strays = frozenset[str]()

    async def run(self, outage: Outage, *, until: asyncio.Event) -> None:
        """Look again and again. It is not cancelled: a thread would be left behind with its connection."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await until.wait()
                return
            with outage.of("sweep not made"):
                await self.look()

    async def look(self) -> None:
        """Queue again what nobody works on, and leave what others have taken over."""
        here = dict(self._executions)
        holders = await asyncio.to_thread(self._queue.holders)
        self._leave_lost(here, holders)
        await self._collect_strays(holders)
        if self._ownership.may_judge:
            for worker in set(holders.values()) - {self._ownership.worker_id}:
                await self.recover(worker)

    async def recover(self, worker: str, *, hung: bool = False) -> None:
        """Queue again the works of a worker that is dead, or hangs with its lock held."""
        dead = (lambda *_: True) if hung else self._ownership.is_dead
        if count := await asyncio.to_thread(self._queue.recover, worker, dead=dead):
            _log.warning("works of another worker queued again", worker=worker, works=count, hung=hung)
            self._on_work()

    async def _collect_strays(self, holders: Mapping[str, str]) -> None:
        """Queue again works of this worker that are under way in the journal only, now and the last time too: the
        database took the claim, and its answer was lost.
        """
        me = self._ownership.worker_id
        known = {*self._executions, *self._recorded_soon()}
        strays = frozenset(work for work, holder in holders.items() if holder == me) - known
        if again := strays & self._strays:
            _log.warning("works begun by nobody queued again", works=sorted(again))
            await asyncio.to_thread(self._queue.recover_these, again, worker=me)
            self._on_work()
        self._strays = strays - again

    def _leave_lost(self, here: Mapping[str, Execution], holders: Mapping[str, str]) -> None:
        for work, execution in here.items():
            holder = holders.get(work)
            if holder != self._ownership.worker_id and self._executions.get(work) is execution:
                if holder is not None:
                    _log.warning("work lost to another worker", work=work, worker=holder)
                execution.cut()
