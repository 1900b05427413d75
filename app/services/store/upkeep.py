"""What keeps the store from growing without end, and says how much there is in it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime

from app.models import Model, RunStatus


class Idle(Model):
    """A conversation in which nothing happens, and what it has on disks: its author's session and its worktrees.

    `repositories` are all that any of its runs worked in, none where it was the service's default.
    """

    ticket: str
    session_id: str | None
    repositories: tuple[str, ...] = ()


class Pruned(Model):
    """How many rows were forgotten. `workers` are those that were not seen for a day."""

    events: int = 0
    transcript_entries: int = 0
    checkpoints: int = 0
    deliveries: int = 0
    workers: int = 0


class Census(Model):
    """How many runs there are in each status, how many wait by bucket, and how long the one that waits longest has.

    Statuses and buckets without any run are left out.
    """

    runs: Mapping[RunStatus, int] = {}
    queued: Mapping[str, int] = {}
    oldest_queued_s: float | None = None


class Upkeep(ABC):
    """What is old, and how much there is."""

    @abstractmethod
    async def idle_since(self, before: datetime) -> tuple[Idle, ...]:
        """Conversations without an active run whose last one ended before that time, the longest idle first."""

    @abstractmethod
    async def sessions(self) -> frozenset[str]:
        """The author's session of each conversation that has one."""

    @abstractmethod
    async def prune(
        self, *, events_before: datetime, transcripts_before: datetime, deliveries_before: datetime
    ) -> Pruned:
        """Forget events, and transcripts with checkpoints, of conversations whose last run ended before; and deliveries
        that came before.

        What a conversation with an active run has stays, and so do runs, turns, questions, messages, changes, pull
        requests and what was spent. It takes many small transactions, so that nobody waits for it long; what is left
        when one of them fails goes the next time.
        """

    @abstractmethod
    async def census(self) -> Census:
        """How much there is at this moment."""
