"""The works that this process is in the middle of, and how long each run is worked on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import AutoCodeError, StoreUnavailable, WorkFailed
from app.logger import get_logger
from app.services.engine.base import Steps
from app.services.store.base import Store

_log = get_logger(__name__)

_TICK_S = 15.0


class Executions:
    """Counts the time that runs are worked on, over all their executions and workers, and ends what takes too long.

    Time in which a run only waits, because the model takes no requests or before something is tried again, is not
    counted.
    """

    def __init__(self, *, store: Store, limit_s: float, tick_s: float = _TICK_S) -> None:
        self._store = store
        self._limit_s = limit_s
        self._tick_s = tick_s
        self._at_work: dict[str, str] = {}

    @property
    def tickets(self) -> tuple[str, ...]:
        """Keys of the tickets that are worked on here."""
        return tuple(sorted(self._at_work.values()))

    @asynccontextmanager
    async def of(self, run_id: str, ticket: str, steps: Steps) -> AsyncIterator[None]:
        """Around the execution of a work. What is in it is cancelled when the run took too long, and WorkFailed raised;
        or ClaimLost, when another worker has the run by now.
        """
        ended: list[AutoCodeError] = []
        self._at_work[run_id] = ticket
        try:
            async with asyncio.timeout(None) as limit:
                counting = asyncio.create_task(self._count(run_id, steps, limit, ended))
                try:
                    yield
                finally:
                    counting.cancel()
                    await asyncio.wait({counting})
        except TimeoutError:
            if not ended:
                raise
            raise ended[0] from None
        finally:
            del self._at_work[run_id]

    async def _count(self, run_id: str, steps: Steps, limit: asyncio.Timeout, ended: list[AutoCodeError]) -> None:
        """What was counted before the process died is looked at first: else a run could go on for ever by dying."""
        new_s = 0.0
        while True:
            try:
                worked_s = await self._store.worked(run_id, new_s)
            except StoreUnavailable as error:
                _log.warning("time not counted", error=error.message)
            except AutoCodeError as error:
                ended.append(error)
                break
            else:
                if worked_s > self._limit_s:
                    ended.append(_too_long(self._limit_s))
                    break
            await asyncio.sleep(self._tick_s)
            new_s = 0.0 if steps.waiting else self._tick_s
        limit.reschedule(asyncio.get_running_loop().time())


def _too_long(limit_s: float) -> WorkFailed:
    return WorkFailed(
        f"The run was worked on for {limit_s / 60:g} minutes, all that MAX_JOB_MINUTES allows. Its work is kept: retry "
        "the run to go on from there, or ask for less at once."
    )
