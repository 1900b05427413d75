"""Looks after one WORKSPACE_DIR while a service works in it: mends what a crash left, and cleans up in the nights."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from app.services.runner.doctor import Doctor, Examination, tell
from app.services.runner.estate import Estate
from app.services.runner.housekeeping import Ages, Housekeeping
from app.services.runner.premises import Premises


class Caretaker:
    """One for each service."""

    def __init__(self, estate: Estate, *, ages: Ages) -> None:
        self._premises = Premises(workspace=estate.workspace)
        self._doctor = Doctor(estate)
        self._housekeeping = Housekeeping(estate, ages=ages)
        self._beside = False

    @contextlib.asynccontextmanager
    async def inside(self) -> AsyncIterator[None]:
        """Be at work here. Programs that an earlier process left are ended first: they would write beside new ones.

        Raises ConfigurationError where WORKSPACE_DIR cannot be written, or somebody mends it without end.
        """
        self._beside = not self._premises.take_alone()
        try:
            await self._premises.share()
            tell(Examination(findings=tuple(await self._doctor.processes(mend=True))))
            yield
        finally:
            self._premises.leave()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Mend what else there is, beside the work, and clean up night by night as long as the block lasts."""
        mending = asyncio.create_task(self._mend())
        try:
            async with self._housekeeping.at_work():
                yield
        finally:
            mending.cancel()
            await asyncio.wait({mending})

    async def _mend(self) -> None:
        tell(await self._doctor.examine(mend=True, beside=self._beside, clear=False))
