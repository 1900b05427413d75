"""The conductor: decides when a ticket is worked on, and answers what became of it.

The room knows who may start, stop and retry. How the work is done is the pipeline's matter.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence

from app.domain.eligibility import Sender
from app.domain.model_limits import Standing
from app.models import (
    Answer,
    Conversation,
    ConversationFilter,
    Decision,
    Event,
    EventKind,
    Model,
    PipelineOptions,
    Receipt,
    RepositoryChanges,
    RepositoryChoice,
    Request,
    Run,
    RunFilter,
    RunPage,
    Ticket,
    Trigger,
)
from app.results import TicketDetails, TicketHit, TicketProject, Worker, WorkerState
from app.services.store.base import Update
from app.services.store.upkeep import Census


class Delivery(Model):
    """How a ticket arrived: the sender's id of the delivery, if it gives one, a digest of the body, and whose it is."""

    id: str | None = None
    digest: str | None = None
    sender: Sender = Sender()


class Runner(ABC):
    """Runs of tickets, and the conversations that they belong to.

    `by` is the person who acts. What is stored when a method returns is not lost; StoreUnavailable: nothing was stored.
    """

    @abstractmethod
    async def start(self) -> None:
        """Open everything and begin to work, first on what was left unfinished."""

    @abstractmethod
    async def drain(self) -> None:
        """Begin no more works, and return when none is under way here or the time for that is over.

        What comes meanwhile is stored as ever: other workers take it, or the next start does. A second call waits for
        the same end.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Stop working. Unfinished runs go on at the next start, or with other workers."""

    @abstractmethod
    async def check(self) -> None:
        """Return when new work can be taken. Raises StoreUnavailable with the reason."""

    # Workers

    @property
    @abstractmethod
    def state(self) -> WorkerState:
        """What this process does."""

    @property
    @abstractmethod
    def at_work(self) -> tuple[str, ...]:
        """Keys of the tickets that this process works on."""

    @abstractmethod
    async def workers(self) -> tuple[Worker, ...]:
        """The workers of this database that were seen in the last minute, the eldest first."""

    @abstractmethod
    async def hindrances(self) -> Mapping[str, str]:
        """What keeps this process from beginning a run: sentences, by what they are about (`database`, `model`, `disk`,
        `draining`). Empty when it can begin one. The sandbox is none of them: without it nothing starts.
        """

    @abstractmethod
    async def census(self) -> Census:
        """How many runs there are, of all workers."""

    @property
    @abstractmethod
    def notice(self) -> str:
        """What is amiss with the workers, in sentences for everybody; empty while nothing is."""

    # Tickets

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

        From the tracker's webhook it is `ignored` with the reason when the sender may start no runs; raises WorkFailed
        or TemporarilyFailed when the tracker must say so and does not.
        """

    @abstractmethod
    async def find_tickets(self, words: str) -> tuple[TicketHit, ...]:
        """Tickets of the tracker, or local ones where there is none; a key is found first."""

    @abstractmethod
    async def ticket(self, key: str) -> TicketDetails:
        """What the tracker knows of a ticket, or what is known here. Raises NotFound."""

    @abstractmethod
    async def create_ticket(self, place: str, summary: str, description: str) -> Ticket:
        """A ticket in the tracker's project `place`; without a tracker a local one whose key `place` is.

        Raises InvalidInput, or Conflict for a local key that is taken.
        """

    @property
    @abstractmethod
    def tracker(self) -> str | None:
        """The tracker's name; None where tickets are local."""

    @abstractmethod
    async def projects(self) -> tuple[TicketProject, ...]:
        """The projects where tickets can be created; none without a tracker."""

    # Repositories

    @abstractmethod
    def repositories(self) -> tuple[RepositoryChoice, ...]:
        """Those that can be chosen, with their default bases; the service's default first."""

    @abstractmethod
    async def branches(self, repository: str) -> tuple[str, ...]:
        """Branches that its pull request can go to, the default first. Raises NotFound."""

    @abstractmethod
    async def suggested(self, key: str) -> tuple[RepositoryChoice, ...]:
        """The repositories that a new message about the ticket starts with: its own last ones, else those that the
        project's other tickets had, else the default.
        """

    # Conversations

    @abstractmethod
    async def conversation(self, key: str) -> Conversation:
        """Raises NotFound."""

    @abstractmethod
    async def conversations(self, wanted: ConversationFilter) -> tuple[Conversation, ...]:
        """Those that changed last come first."""

    @abstractmethod
    async def history(self, key: str, *, before: int | None = None, limit: int = 200) -> Sequence[Event]:
        """The newest events of a conversation below `before`, in order. Raises NotFound."""

    @abstractmethod
    async def since(self, key: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        """The first events of a conversation above `after`, in order."""

    @abstractmethod
    async def newest_event(self, run_id: str, kind: EventKind) -> Event | None:
        """The run's last event of the kind, if there is one."""

    @abstractmethod
    def watch(self, key: str | None, *, after: int = 0) -> AsyncIterator[Update]:
        """A conversation's events above `after` as they come, and what is of the moment; never ends by itself."""

    @abstractmethod
    async def decisions(self, key: str) -> tuple[Decision, ...]:
        """All questions and plans of a conversation, oldest first."""

    @abstractmethod
    async def changes(self, key: str) -> tuple[RepositoryChanges, ...]:
        """The conversation's whole change, by repository."""

    @abstractmethod
    async def send(self, key: str, request: Request, *, message_id: str) -> Receipt:
        """Take a person's message about a ticket: it begins a run, waits for the active one, or is the answer that a
        run waits for. The same id is taken once.

        Raises InvalidInput, NotFound for an unknown ticket, or Conflict for an id that came with other words before.
        """

    @abstractmethod
    async def withdraw(self, message_id: str, *, by: str) -> None:
        """Take a message out of the queue. Raises NotFound or Conflict."""

    @abstractmethod
    async def send_now(self, message_id: str, *, by: str) -> None:
        """Deliver a queued message at once, and stop the active run for it. Raises NotFound or Conflict."""

    @abstractmethod
    async def answer(self, key: str, question_id: str, answer: Answer) -> Receipt:
        """Let the run that waits go on. Raises NotFound, or Conflict when somebody answered before."""

    @abstractmethod
    async def open_pull_requests(self, key: str, *, by: str, repositories: Sequence[str] = ()) -> Receipt:
        """Publish the changes that there are, as draft pull requests; of these repositories only, if any are named."""

    @abstractmethod
    async def prefer_model(self, person: str, model: str) -> None:
        """Keep the model that a person's messages go to. Raises InvalidInput for one that cannot be chosen."""

    @abstractmethod
    async def preferred_model(self, person: str) -> str:
        """That model, or the service's default."""

    @property
    @abstractmethod
    def standing(self) -> Standing:
        """Whether the model takes requests of anybody, and until when it does not."""

    @property
    @abstractmethod
    def models(self) -> dict[str, str]:
        """Names of the models that can be chosen, by their ids; the service's default first."""

    # Runs

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
    async def retry_run(self, run_id: str, *, by: str | None = None) -> Receipt:
        """A new run of the same ticket that goes on from the kept work; a `duplicate` while another one is active.

        Raises NotFound, or Conflict when the run has not ended, or ended with a pull request.
        """
