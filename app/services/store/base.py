"""What the product remembers: conversations, runs, their events and turns.

The room knows the product's own tables. It refuses to decide: who may start and what comes next are rules of
`app.domain` and of the runner. Nothing that was accepted is ever changed but for the state of its run.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.models import (
    Event,
    EventKind,
    Job,
    Model,
    PipelineOptions,
    PullRequest,
    Receipt,
    Run,
    RunFilter,
    RunMode,
    RunPage,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Trigger,
)
from app.results import Turn

Enqueue = Callable[[Any, str], None]
"""Called with the open transaction and the run's id: hands the run to the engine, or rolls all back by raising."""


class Claim(Model):
    """A ticket that somebody wants worked on. `deliveries` are names of the request: the same one is never taken twice.

    Beside each name is the time since which it counts, None for ever. A name that counts for a time only is no proof of
    the same request, so it does not count once the run that took it has failed: somebody tries again.
    """

    ticket: Ticket
    mode: RunMode = RunMode.IMPLEMENT
    trigger: Trigger
    options: PipelineOptions
    deliveries: tuple[tuple[str, datetime | None], ...] = ()

    def refused_as_delivered(self, run_id: str) -> Receipt:
        """The answer to a known delivery, which the run took."""
        return self._refused(run_id, "this request was taken already")

    def refused_as_active(self, run_id: str) -> Receipt:
        """The answer for a ticket that the run is about."""
        return self._refused(run_id, f"{self.ticket.key} is being worked on already")

    def _refused(self, run_id: str, reason: str) -> Receipt:
        return Receipt(status="duplicate", ticket=self.ticket.key, run_id=run_id, reason=reason)


class Store(ABC):
    """The product's memory. Every method raises StoreUnavailable when the database does not answer.

    What runs write may wait for a database that is away; what people and trackers ask for does not.
    """

    @abstractmethod
    async def start(self) -> None:
        """Bring the schema up to date. Called once, before anything else."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of the database."""

    @abstractmethod
    async def check(self) -> None:
        """Return when the database answers."""

    # Claims

    @abstractmethod
    async def claim(self, claim: Claim, enqueue: Enqueue) -> Receipt:
        """Take the ticket: one transaction that stores ticket, run and delivery and enqueues the work.

        A ticket with an active run, or a known delivery, gives a `duplicate` that names the run; the newer text of a
        ticket with an active run is kept, and so is its delivery.
        """

    # Runs

    @abstractmethod
    async def run(self, run_id: str) -> Run:
        """Raises NotFound."""

    @abstractmethod
    async def runs(self, wanted: RunFilter) -> RunPage:
        """Newest first."""

    @abstractmethod
    async def job(self, run_id: str) -> Job:
        """Raises NotFound."""

    @abstractmethod
    async def active(self) -> tuple[str, ...]:
        """Ids of the runs that are queued, running or waiting for people."""

    @abstractmethod
    async def move(
        self,
        run_id: str,
        to: RunStatus,
        *,
        outcome: str | None = None,
        error: str | None = None,
        by: str | None = None,
    ) -> bool:
        """Move a run as `domain.run_state` allows; False when it is there already. A stage that runs when the run ends
        ends with it. Raises NotFound, or Conflict for a forbidden move.
        """

    @abstractmethod
    async def remember_session(self, run_id: str, session_id: str) -> str:
        """The author's session of the run's conversation: the one that it has, else `session_id` from now on."""

    # What happens in a run

    @abstractmethod
    async def append(
        self, run_id: str, kind: EventKind, payload: Mapping[str, Any], *, once: str | None = None
    ) -> int | None:
        """Append an event and return its number. With `once`, None when the run has an event of that name already.

        The payload is JSON; NUL characters are replaced. Raises NotFound.
        """

    @abstractmethod
    async def stage_started(self, run_id: str, stage: StageName, *, visit: int = 1) -> None:
        """Say that the stage began, for the `visit`-th time; the same call after a crash changes nothing."""

    @abstractmethod
    async def stage_ended(
        self,
        run_id: str,
        stage: StageName,
        status: StageStatus,
        *,
        visit: int = 1,
        rounds: int = 0,
        summary: str = "",
    ) -> None:
        """Say how the visit of the stage ended; the same call after a crash changes nothing."""

    @abstractmethod
    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        """Keep a finished turn under its name in the run, and return it with the cost that is its own.

        That is what its session has cost by now and had not cost after its turns before. A second call with the same
        name returns the first turn.
        """

    @abstractmethod
    async def turn(self, run_id: str, name: str) -> Turn | None:
        """The finished turn of that name, if there is one."""

    @abstractmethod
    async def add_pull_request(self, run_id: str, pull_request: PullRequest) -> None:
        """Remember a pull request of the run; the same URL is remembered once."""

    # Events

    @abstractmethod
    async def events(self, run_id: str, *, after: int = 0, limit: int = 200) -> Sequence[Event]:
        """Events with a number above `after`, in order. Raises NotFound."""

    @abstractmethod
    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """Events above `after` as they come, each once and in order; ends after the last one of a run that has ended.

        Raises NotFound at the first event.
        """
