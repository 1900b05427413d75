"""What the product remembers: conversations, runs, their events and turns.

The room knows the product's own tables. It refuses to decide: who may start and what comes next are rules of
`app.domain` and of the runner. Nothing that was accepted is ever changed but for the state of its run.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from app.domain.budget import Spending, Spent
from app.models import (
    Answer,
    Conversation,
    ConversationFilter,
    Decision,
    Event,
    EventKind,
    Job,
    Model,
    PipelineOptions,
    PullRequest,
    Question,
    Receipt,
    RepositoryChanges,
    Request,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Trigger,
    Work,
)
from app.results import Turn
from app.services.store.fleet import Fleet
from app.services.store.upkeep import Upkeep

Enqueue = Callable[[Any, Work], None]
"""Called with the open transaction and a work: hands it to the engine, or rolls all back by raising."""


class Claim(Model):
    """A ticket that somebody wants worked on. `answering` is an answered question that the run goes on from.

    `deliveries` are names of the request: the same one is never taken twice.

    Beside each name is the time since which it counts, None for ever. A name that counts for a time only is no proof of
    the same request, so it does not count once the run that took it has failed: somebody tries again.
    """

    ticket: Ticket
    request: Request = Request()
    trigger: Trigger
    options: PipelineOptions
    answering: str | None = None
    deliveries: tuple[tuple[str, datetime | None], ...] = ()

    def refused_as_delivered(self, run_id: str) -> Receipt:
        """The answer to a known delivery, which the run took."""
        return self._refused(run_id, "this request was taken already")

    def refused_as_older(self, run_id: str) -> Receipt:
        """The answer to a text that is older than the one that the run began with."""
        return self._refused(run_id, f"a newer text of {self.ticket.key} was taken already")

    def refused_as_active(self, run_id: str) -> Receipt:
        """The answer for a ticket that the run is about."""
        return self._refused(run_id, f"{self.ticket.key} is being worked on already")

    def _refused(self, run_id: str, reason: str) -> Receipt:
        return Receipt(status="duplicate", ticket=self.ticket.key, run_id=run_id, reason=reason)


class Update(Model):
    """What a follower of a conversation hears at once: its next events, in order, and what is only of the moment.

    `writing` is the text that is being written, so far, None when nothing is. `elsewhere` says that the list of
    conversations may look different.
    """

    events: tuple[Event, ...] = ()
    writing: str | None = None
    elsewhere: bool = False


class Store(Fleet, Upkeep):
    """The product's memory. Every method raises StoreUnavailable when the database does not answer.

    What runs read and write may wait for a database that is away; what people and trackers ask for does not.

    No text is kept with a secret in it, or with what a database cannot take: NUL characters, halves of surrogate pairs.
    Such places are marked in what is given back and read later.
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
        ticket with an active run is kept (see `keep_ticket`), and so is its delivery. A text that is older than the
        one that a run of the tracker began with is a `duplicate` as well, unless that run failed.
        """

    # People's messages and answers

    @abstractmethod
    async def send(self, claim: Claim, enqueue: Enqueue, *, message_id: str) -> Receipt:
        """Take a person's message: it begins a run (`accepted`) or waits for the active one (`queued`).

        To a run that needs input its words are the answer (`answered`); a message without words waits. The same id is
        taken once: then `duplicate`. Raises Conflict for an id that came with other words.
        """

    @abstractmethod
    async def withdraw(self, message_id: str, *, by: str) -> None:
        """Take a message out of the queue. Raises NotFound, or Conflict when it was delivered or withdrawn."""

    @abstractmethod
    async def send_now(self, message_id: str, enqueue: Enqueue, *, by: str) -> str | None:
        """Deliver a queued message before all others, and at once: the active run is stopped, and its work's id
        returned. Raises NotFound, or Conflict when it was delivered or withdrawn.
        """

    @abstractmethod
    async def ask(self, run_id: str, question: Question) -> None:
        """Let the run wait for people. The same question is asked once. A plan gets the conversation's next version."""

    @abstractmethod
    async def answer(self, ticket: str, question_id: str, answer: Answer, enqueue: Enqueue) -> Receipt:
        """Let the run go on with what people said: its next leg is queued; an approved plan ends it, and begins a run
        of Edits. The first answer counts. Raises NotFound, or Conflict when it was answered or nobody waits any more.
        """

    @abstractmethod
    async def decisions(self, ticket: str) -> tuple[Decision, ...]:
        """All questions and plans of a conversation, oldest first."""

    # Conversations

    @abstractmethod
    async def keep_ticket(self, ticket: Ticket) -> None:
        """Keep the newest text of a ticket, with or without a run of it.

        Newest by the tracker's own time, whatever the order in which they come; the one that comes last where that is
        the same, or one of them has none.
        """

    @abstractmethod
    async def ticket(self, key: str) -> Ticket:
        """The text that is known of a ticket. Raises NotFound."""

    @abstractmethod
    async def find_tickets(self, words: str, *, limit: int = 20) -> tuple[Ticket, ...]:
        """Known tickets with all of these words in key or summary, those that changed last first."""

    @abstractmethod
    async def conversation(self, ticket: str) -> Conversation:
        """Raises NotFound."""

    @abstractmethod
    async def conversations(self, wanted: ConversationFilter) -> tuple[Conversation, ...]:
        """Those that changed last come first."""

    @abstractmethod
    async def keep_changes(self, run_id: str, changes: RepositoryChanges) -> None:
        """Keep the conversation's whole change in one repository, in place of the one that was known; tell it where it
        is another one.
        """

    @abstractmethod
    async def changes(self, ticket: str) -> tuple[RepositoryChanges, ...]:
        """The conversation's changes, by repository."""

    @abstractmethod
    async def prefer_model(self, person: str, model: str) -> None:
        """Keep the model that a person's messages go to unless another one is chosen."""

    @abstractmethod
    async def preferred_model(self, person: str) -> str | None:
        """That model; None when the person never chose one."""

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
    async def in_work(self) -> tuple[tuple[str, str], ...]:
        """Id and work of each run that is queued or running, oldest first."""

    @abstractmethod
    async def move(
        self,
        run_id: str,
        to: RunStatus,
        *,
        outcome: str | None = None,
        error: str | None = None,
        by: str | None = None,
        enqueue: Enqueue | None = None,
    ) -> bool:
        """Move a run as `domain.run_state` allows; False when it is there already. A stage that runs when the run ends
        ends with it. With `enqueue`, the end of the run is the turn of the next message in the queue; without, the
        queue is held. With `by` it is a person's act, which asks for no claim. Raises NotFound, or Conflict for a
        forbidden move.
        """

    @abstractmethod
    async def stop_run(self, run_id: str, *, outcome: str, by: str) -> str:
        """End the run as idle and hold the queue; the return is the work that may still go on for it.

        Raises NotFound, or Conflict when it has ended.
        """

    @abstractmethod
    async def remember_session(self, run_id: str, session_id: str) -> str:
        """The author's session of the run's conversation: the one that it has, else `session_id` from now on."""

    # What happens in a run

    @abstractmethod
    async def append(
        self,
        run_id: str,
        kind: EventKind,
        payload: Mapping[str, Any],
        *,
        once: str | None = None,
        claimed: bool = True,
    ) -> int | None:
        """Append an event and return its number. With `once`, None when the run has an event of that name already.

        The payload is JSON. `claimed` is False for what is no work on the run but said about it. Raises NotFound or
        ClaimLost.
        """

    @abstractmethod
    async def whisper(self, run_id: str, text: str) -> None:
        """Let followers see the text that is being written. It is not kept: they see the newest, or none.

        What may become a secret is seen once it has turned out to be none.
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
    async def last_words(self, session_id: str) -> str:
        """What the session said at the end of its newest turn of Edits or Implement; empty where it never did."""

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

    @abstractmethod
    async def history(
        self, ticket: str, *, after: int = 0, before: int | None = None, limit: int = 200
    ) -> Sequence[Event]:
        """The newest `limit` events of a conversation above `after` and below `before`, in order. Raises NotFound."""

    @abstractmethod
    async def newest_event(self, run_id: str, kind: EventKind) -> Event | None:
        """The run's last event of the kind, if there is one."""

    @abstractmethod
    async def next_events(self, ticket: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        """The first `limit` events of a conversation above `after`, in order. Empty for an unknown one."""

    @abstractmethod
    def watch(self, ticket: str | None, *, after: int = 0) -> AsyncIterator[Update]:
        """A conversation's events above `after` as they come, each once and in order, and what is of the moment.

        Without a ticket only the news of `elsewhere`. Never ends by itself; says something at least once in 15 s.
        """

    # What the model cost

    @abstractmethod
    async def spent(self, ticket: str, day: date) -> Spent:
        """What a ticket has cost over all its runs, and a day (UTC) over all tickets."""

    @abstractmethod
    async def reserve(self, spending: Spending) -> None:
        """Write a model request down with its estimate."""

    @abstractmethod
    async def settle(self, spending: Spending) -> None:
        """Write down what the request really was, in place of what is known of it."""
