"""Durability: work that was enqueued is worked on to its end, whatever dies on the way.

The room knows queues, steps, workers and recovery. It knows nothing of what the steps do.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter

from app import metrics
from app.errors import ClaimLost, Overloaded, Parked, StoreUnavailable, TemporarilyFailed, WorkFailed
from app.models import Model, Work

T = TypeVar("T")

Workflow = Callable[[str, "Steps"], Awaitable[None]]
"""The durable order of one work: takes its id and its steps. Between steps it is a pure function of their results.

What is among `LEAVES` out of it is no end of the work: whoever has it by now goes on, and if nobody has, it is begun
again.
"""

LEAVES = (ClaimLost, StoreUnavailable)
"""Another worker has the run, or nothing can be written of it: not even how it ended."""


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


@dataclass(frozen=True)
class Ending:
    """How far a process has come on its way out: it takes nothing new, and later no step begins any more."""

    drained: asyncio.Event = field(default_factory=asyncio.Event)
    halted: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Patience:
    """How long a step bears with faults: seconds before each new try, and with an overloaded model in all."""

    retry_after_s: Sequence[float] = (1.0, 5.0, 20.0)
    overload_s: float = 900.0


class Steps(ABC):
    """The steps of one execution of a work. A step that has finished is never run again: its recorded result is given
    instead.

    A step whose process died while it ran is run again, so its function must bear that.
    """

    def __init__(
        self,
        *,
        patience: Patience = Patience(),
        redact: Redact = lambda said: said,
        ending: Ending | None = None,
    ) -> None:
        self._patience = patience
        self._redact = redact
        self._ending = ending or Ending()
        self._running = 0
        self._waits = 0

    @property
    def waiting(self) -> bool:
        """Whether all that goes on is a pause: of a step that is parked, or before it is tried again."""
        return 0 < self._waits == self._running

    async def run(self, name: str, function: Callable[[], Awaitable[T]], result: type[T] | Any) -> T:
        """Run `function` as the step `name` and return its result; `result` is its type, any that pydantic knows.

        `Parked` is waited out, however long that takes; `Overloaded` for as long as the patience lasts.
        `TemporarilyFailed` is tried again after each of the waits; then it, like any other `WorkFailed`, is recorded as
        the step's end and raised as `WorkFailed`, now and on every replay.

        When the engine has halted no step begins: the whole execution is cancelled, and goes on elsewhere or later. So
        it is when `function` raises what is among `LEAVES`: nothing is recorded of it.
        """
        adapter: TypeAdapter[T] = TypeAdapter(result)
        ran = list[str]()

        async def body() -> Said:
            self._running += 1
            ran.append(name)
            try:
                value = await self._persevere(function)
            except WorkFailed as error:
                return self._redact(_Result(failure=error.message).model_dump(mode="json"))
            except LEAVES:
                await self._park()
            finally:
                self._running -= 1
            return self._redact(_Result(value=adapter.dump_python(value, mode="json")).model_dump(mode="json"))

        if self._ending.halted.is_set():
            await self._park()
        said = _Result.model_validate(await self._execute(name, body))
        if ran:
            await self._advanced()
        if said.failure is not None:
            raise WorkFailed(said.failure)
        return adapter.validate_python(said.value)

    async def _persevere(self, function: Callable[[], Awaitable[T]]) -> T:
        waits = iter(self._patience.retry_after_s)
        overloaded_at: float | None = None
        while True:
            try:
                return await function()
            except Parked as parked:
                if isinstance(parked, Overloaded):
                    overloaded_at = overloaded_at or time.monotonic()
                    if time.monotonic() - overloaded_at >= self._patience.overload_s:
                        waited = f"It was waited for {self._patience.overload_s:.0f} seconds"
                        raise WorkFailed(f"{parked.message} {waited}. Retry the run when it is well.") from parked
                left_s = (parked.until - datetime.now(UTC)).total_seconds()
                await self._advanced()
                # A process that drains need not wait for it: whoever takes up the work does.
                await self._wait(max(_SHORTEST_WAIT_S, left_s), unless=self._ending.drained)
                metrics.retries.labels("parked").inc()
            except TemporarilyFailed:
                wait_s = next(waits, None)
                if wait_s is None:
                    raise
                await self._wait(wait_s, unless=self._ending.halted)
                metrics.retries.labels("step").inc()

    async def _wait(self, seconds: float, *, unless: asyncio.Event) -> None:
        """Pause; the execution parks as soon as `unless` is set."""
        self._waits += 1
        try:
            async with asyncio.timeout(seconds):
                await unless.wait()
        except TimeoutError:
            return
        finally:
            self._waits -= 1
        await self._park()

    @abstractmethod
    async def _execute(self, name: str, body: Callable[[], Coroutine[Any, Any, Said]]) -> Said:
        """Run `body` unless the step is recorded; its result is JSON."""

    @abstractmethod
    async def _advanced(self) -> None:
        """Hear that the execution got further than one that ended with its process: a step is done, or waits."""

    @abstractmethod
    async def _park(self) -> NoReturn:
        """Cancel the execution, from whichever of its tasks, and leave the work unfinished."""


class Engine(ABC):
    """Queues works and works them off, a limited number at once: in this process, in one bucket, and in all.

    On an embedded database one process works. On a server's any number does: each is a worker with an id of its own,
    and when one dies the others take over what it was in the middle of. `unfinished`, `take_over` and `forget` raise
    StoreUnavailable when the database does not answer.
    """

    @property
    @abstractmethod
    def worker_id(self) -> str:
        """Names this process among those that work on the database; another one after each start on a server's."""

    @abstractmethod
    async def open(self) -> None:
        """Take a place among the workers; on an embedded database the only one, which may have to be waited for.

        Raises ConfigurationError when another process keeps it, or the database cannot be reached.
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
    def pause(self) -> None:
        """Take no more work from the queue, until `resume`; what is under way goes on. May be called before `start`.
        Other workers are not concerned.
        """

    @abstractmethod
    def resume(self) -> None:
        """Take work again, unless it is drained."""

    @abstractmethod
    def drain(self) -> None:
        """Take no new work. What is under way goes on, but what only waits for a parked model is left to others."""

    @abstractmethod
    def halt(self) -> None:
        """Drain, and let no further step begin: a work is left where its step ends, or at once where it waits."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop working. Unfinished works go on elsewhere, or at the next start; no workflow sees an end."""

    @abstractmethod
    def enqueue(self, transaction: Any, work: Work) -> None:
        """Queue a work in the caller's open transaction (of the same database): both happen, or neither.

        A work that is queued or was worked on already is not queued again. Where limits leave a choice, what people
        wait for (priority 0) comes first; then the bucket with the least at work; in it priority, then age.
        """

    @abstractmethod
    async def cancel(self, work_id: str) -> None:
        """Take the work from the queue, or cancel what any worker does for it, within seconds. Its step sees a
        CancelledError at most, and no further one begins. Nothing happens to a work that is unknown or done.
        """

    @property
    @abstractmethod
    def under_way(self) -> frozenset[str]:
        """Ids of the works that this process is in the middle of."""

    @abstractmethod
    async def unfinished(self) -> Mapping[str, str | None]:
        """The id of the worker by each work that is not done; None where it is queued."""

    @abstractmethod
    async def take_over(self, workers: Collection[str]) -> None:
        """Queue again what these workers are in the middle of, though they seem alive: they hang. Whatever they still
        record of it is refused. This worker itself, and ids that are unknown, are passed over.
        """

    @abstractmethod
    async def forget(self, before: datetime) -> int:
        """Forget the works that were done before, and their steps; how many."""
