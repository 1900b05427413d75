"""Durability: work that was enqueued is worked on to its end, whatever dies on the way.

The room knows queues, steps and recovery. It knows nothing of what the steps do.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter

from app.errors import Overloaded, Parked, TemporarilyFailed, WorkFailed
from app.models import Model

T = TypeVar("T")

Workflow = Callable[[str, "Steps"], Awaitable[None]]
"""The durable order of one run: takes its id and its steps. Between steps it is a pure function of their results."""


_SHORTEST_WAIT_S = 0.05
"""Of a step that is parked, also where its time has come already."""


class _Result(Model):
    """What a step gave: a value, or the sentence of the failure that ended it."""

    value: Any = None
    failure: str | None = None


Said = dict[str, Any]
"""A step's result as it is recorded."""

Redact = Callable[[Said], Said]
"""Takes the secrets out of a result before it is recorded."""


class Steps(ABC):
    """The steps of one run. A step that has finished is never run again: its recorded result is given instead.

    A step whose process died while it ran is run again, so its function must bear that.
    """

    def __init__(
        self,
        *,
        retry_after_s: Sequence[float] = (1.0, 5.0, 20.0),
        patience_s: float = 900.0,
        redact: Redact = lambda said: said,
    ) -> None:
        self._retry_after_s = tuple(retry_after_s)
        self._patience_s = patience_s
        self._redact = redact

    async def run(self, name: str, function: Callable[[], Awaitable[T]], result: type[T] | Any) -> T:
        """Run `function` as the step `name` and return its result; `result` is its type, any that pydantic knows.

        `Parked` is waited out, however long that takes; `Overloaded` for as long as the patience lasts.
        `TemporarilyFailed` is tried again after each of the waits; then it, like any other `WorkFailed`, is recorded as
        the step's end and raised as `WorkFailed`, now and on every replay.
        """
        adapter: TypeAdapter[T] = TypeAdapter(result)

        async def body() -> Said:
            try:
                value = await self._persevere(function)
            except WorkFailed as error:
                return self._redact(_Result(failure=error.message).model_dump(mode="json"))
            return self._redact(_Result(value=adapter.dump_python(value, mode="json")).model_dump(mode="json"))

        said = _Result.model_validate(await self._execute(name, body))
        if said.failure is not None:
            raise WorkFailed(said.failure)
        return adapter.validate_python(said.value)

    async def _persevere(self, function: Callable[[], Awaitable[T]]) -> T:
        waits = iter(self._retry_after_s)
        overloaded_at: float | None = None
        while True:
            try:
                return await function()
            except Parked as parked:
                if isinstance(parked, Overloaded):
                    overloaded_at = overloaded_at or time.monotonic()
                    if time.monotonic() - overloaded_at >= self._patience_s:
                        waited = f"It was waited for {self._patience_s:.0f} seconds"
                        raise WorkFailed(f"{parked.message} {waited}. Retry the run when it is well.") from parked
                left_s = (parked.until - datetime.now(UTC)).total_seconds()
                await asyncio.sleep(max(_SHORTEST_WAIT_S, left_s))
            except TemporarilyFailed:
                wait_s = next(waits, None)
                if wait_s is None:
                    raise
                await asyncio.sleep(wait_s)

    @abstractmethod
    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        """Run `body` unless the step is recorded; its result is JSON."""


class Engine(ABC):
    """Queues runs and works them off, a limited number at once."""

    @abstractmethod
    async def open(self) -> None:
        """Take the database for this process alone; wait a while for another one that is about to end.

        Raises ConfigurationError when the other one stays, or the database cannot be reached.
        """

    @abstractmethod
    async def release(self) -> None:
        """Leave the database to others."""

    @abstractmethod
    async def start(self, workflow: Workflow) -> None:
        """Begin to work: first on what a dead process left, then on the queue. Called once after `open`, from the loop
        that works.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Stop working. Unfinished runs go on at the next start; no workflow sees an end."""

    @abstractmethod
    def enqueue(self, transaction: Any, run_id: str) -> None:
        """Queue a run in the caller's open transaction (of the same database): both happen, or neither.

        A run that is queued or was worked on already is not queued again.
        """

    @abstractmethod
    async def cancel(self, run_id: str) -> None:
        """Take the run from the queue, or cancel what it is doing, soon. Its step sees a CancelledError at most, and no
        further one begins. Nothing happens to a run that is unknown or done.
        """

    @abstractmethod
    async def unfinished(self) -> frozenset[str]:
        """Ids of the runs that wait or are worked on."""
