"""The conductor: decides when a ticket is worked on, and answers what became of it.

The room knows who may start, stop and retry. How the work is done is the pipeline's matter.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence

from app.models import Event, Model, PipelineOptions, Receipt, Run, RunFilter, RunPage, Ticket, Trigger


class Delivery(Model):
    """How a ticket arrived: the sender's id of the delivery, if it gives one, and a digest of the body."""

    id: str | None = None
    digest: str | None = None


class Runner(ABC):
    """Runs of tickets."""

    @abstractmethod
    async def start(self) -> None:
        """Open everything and begin to work, first on what was left unfinished."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop working. Unfinished runs go on at the next start."""

    @abstractmethod
    async def check(self) -> None:
        """Return when new work can be taken. Raises StoreUnavailable with the reason."""

    @abstractmethod
    async def handle_ticket(
        self,
        ticket: Ticket,
        *,
        trigger: Trigger,
        delivery: Delivery = Delivery(),  # noqa: B008 - frozen
        options: PipelineOptions | None = None,
    ) -> Receipt:
        """Take the ticket: stored and queued when this returns `accepted`. Options are the settings' unless given.

        Raises StoreUnavailable when nothing was stored, so that the sender tries again.
        """

    @abstractmethod
    async def run(self, run_id: str) -> Run:
        """Raises NotFound."""

    @abstractmethod
    async def runs(self, wanted: RunFilter) -> RunPage:
        """Newest first."""

    @abstractmethod
    async def events(self, run_id: str, *, after: int, limit: int) -> Sequence[Event]:
        """Events above `after`, in order. Raises NotFound."""

    @abstractmethod
    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """Events above `after` as they come; ends with the run."""

    @abstractmethod
    async def stop_run(self, run_id: str, *, by: str) -> Run:
        """End the run and keep its work. Raises NotFound, or Conflict when it has ended."""

    @abstractmethod
    async def retry_run(self, run_id: str) -> Receipt:
        """A new run of the same ticket that goes on from the kept work; a `duplicate` while another one is active.

        Raises NotFound, or Conflict when the run has not ended, or ended with a pull request.
        """
