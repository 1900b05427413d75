"""Executions of works in this process, and their steps in DBOS's journal."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NoReturn

from dbos import DBOS, StepOptions
from sqlalchemy.exc import SQLAlchemyError

from app.services.engine.base import Ending, Patience, Redact, Said, Steps
from app.services.engine.queue import Queue


@dataclass
class Execution:
    """What this process knows of a work that it is in the middle of."""

    deaths: int = 0
    task: asyncio.Task[Any] | None = None
    parked: bool = False

    def cut(self) -> None:
        """Cancel it where it is."""
        if self.task is not None:
            self.task.cancel()


class DurableSteps(Steps):
    """Steps in the journal of the workflow that is running."""

    def __init__(
        self, *, work_id: str, execution: Execution, queue: Queue, patience: Patience, redact: Redact, ending: Ending
    ) -> None:
        super().__init__(patience=patience, redact=redact, ending=ending)
        self._work_id = work_id
        self._execution = execution
        self._queue = queue

    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        return await DBOS.run_step_async(StepOptions(name=name, preemptible=True), body)

    async def _advanced(self) -> None:
        if self._execution.deaths:
            with contextlib.suppress(SQLAlchemyError):  # the next one tells
                await asyncio.to_thread(self._queue.survived, self._work_id)
                self._execution.deaths = 0

    async def _park(self) -> NoReturn:
        self._execution.parked = True
        self._execution.cut()
        await asyncio.Event().wait()
        raise asyncio.CancelledError
