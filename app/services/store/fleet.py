"""What many workers on one database need of the store: who has which run, who is alive, and what travels with a run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from app.results import Checkpoint, Worker


class Fleet(ABC):
    """Claims on runs, the workers, and what another machine needs to go on with a conversation.

    A run belongs to the worker that took it last. What any other process that has taken the run writes for it raises
    ClaimLost, and nothing of it is written. What people do to a run is no work on it, and asks for no claim.
    """

    @property
    @abstractmethod
    def shared(self) -> bool:
        """Other machines may have the same store, so that a run may go on where its files are not."""

    # Claims on runs

    @abstractmethod
    async def take(self, run_id: str, worker: str) -> None:
        """Make the run this process's own, from whoever had it. Called at the beginning of each execution of its work.

        Raises NotFound.
        """

    @abstractmethod
    async def check_claim(self, run_id: str) -> None:
        """Return while the run is this process's own, or was never taken by it. Raises ClaimLost otherwise.

        It is asked of the database each time, which is waited for when it is away.
        """

    @abstractmethod
    async def worked(self, run_id: str, seconds: float) -> float:
        """Add to the time that was worked on the run, and return the whole of it. Raises NotFound or ClaimLost."""

    # Workers

    @abstractmethod
    async def beat(self, worker: Worker) -> None:
        """Say that the worker is alive, and what it does. `seen_at`, and `started_at` of its first time, are by the
        database's clock.

        It does not wait for a database that is away: the next one comes soon.
        """

    @abstractmethod
    async def leave(self, worker_id: str) -> None:
        """Forget a worker that ends."""

    @abstractmethod
    async def workers(self) -> tuple[tuple[Worker, float], ...]:
        """The workers, and how many seconds ago each was seen, by the database's clock. The eldest first.

        Those that died without a word are among them until they are forgotten.
        """

    # What travels

    @abstractmethod
    async def keep_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Keep what was done to the files of one repository, in place of the conversation's checkpoint before.

        The bundle is kept as it is: what is in it was looked through by whoever made it. Raises NotFound or ClaimLost.
        """

    @abstractmethod
    async def checkpoint(self, ticket: str, repository: str) -> Checkpoint | None:
        """The conversation's newest one of the repository, if there is one."""

    @abstractmethod
    async def keep_entries(self, session_id: str, subpath: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """Add JSON entries to a part of a session's transcript, in their order.

        One whose `uuid` that part has already is left out; one without a `uuid` is added each time.
        """

    @abstractmethod
    async def entries(self, session_id: str) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """A session's whole transcript by its parts, each in order; its main one is "". Empty for an unknown session.

        A secret in them stands as its mark.
        """
