"""The store's statements over whatever runs them: each method is one transaction."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa

from app.domain.budget import Spending, Spent
from app.domain.redaction import Redactor
from app.domain.run_state import ACTIVE, has_ended
from app.models import (
    Answer,
    Conversation,
    ConversationFilter,
    Decision,
    Event,
    EventKind,
    Job,
    PullRequest,
    Question,
    Receipt,
    RepositoryChanges,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
)
from app.results import Turn
from app.services.store import claims, conversations, events, messages, moves, questions, rows, spendings, tables, turns
from app.services.store.base import Claim, Enqueue, Store, Update
from app.services.store.following import follow, watch
from app.services.store.payloads import Intake
from app.services.store.signals import Signals

T = TypeVar("T")

Body = Callable[[sa.Connection], T]
"""What a transaction does."""


class SqlStore(Store):
    """Everything but how a transaction is run: `_write` and `_read` do that.

    What a run does is `_patient`: it waits for a database that is away, so that a restart of it fails no run.

    Whatever text comes in is made fit to keep first, what is looked for as well, so that no statement and no follower
    sees a secret. `redactor` None knows the shapes of credentials only.
    """

    def __init__(self, *, redactor: Redactor | None = None) -> None:
        self._intake = Intake(redactor or Redactor({}))
        self._signals = Signals()
        self._tickets: dict[str, str] = {}

    async def check(self) -> None:
        await self._write(lambda connection: connection.execute(sa.text("SELECT 1")))

    async def claim(self, claim: Claim, enqueue: Enqueue) -> Receipt:
        fit = self._intake.fit(claim)
        receipt = await self._write(lambda connection: claims.take(connection, fit, enqueue))
        self._news_of(claim.ticket.key)
        return receipt

    async def send(self, claim: Claim, enqueue: Enqueue, *, message_id: str) -> Receipt:
        fit = self._intake.fit(claim)
        receipt = await self._write(lambda connection: messages.send(connection, fit, enqueue, message_id))
        self._news_of(claim.ticket.key)
        return receipt

    async def withdraw(self, message_id: str, *, by: str) -> None:
        person = self._intake.fit(by)
        self._news_of(await self._write(lambda connection: messages.withdraw(connection, message_id, person)))

    async def send_now(self, message_id: str, enqueue: Enqueue, *, by: str) -> str | None:
        person = self._intake.fit(by)
        ticket, stopped = await self._write(lambda each: messages.send_now(each, message_id, enqueue, person))
        self._news_of(ticket)
        return stopped

    async def ask(self, run_id: str, question: Question) -> None:
        fit = self._intake.fit(question)
        await self._tell(run_id, lambda connection: questions.ask(connection, run_id, fit), everywhere=True)

    async def answer(self, ticket: str, question_id: str, answer: Answer, enqueue: Enqueue) -> Receipt:
        fit = self._intake.fit(answer)
        receipt = await self._write(lambda each: questions.answer(each, ticket, question_id, fit, enqueue))
        self._news_of(ticket)
        return receipt

    async def decisions(self, ticket: str) -> tuple[Decision, ...]:
        return await self._read(lambda connection: questions.decisions(connection, ticket))

    async def keep_ticket(self, ticket: Ticket) -> None:
        fit = self._intake.fit(ticket)
        await self._write(lambda connection: claims.keep_ticket(connection, fit))
        self._news_of(ticket.key)

    async def ticket(self, key: str) -> Ticket:
        return await self._read(lambda connection: conversations.ticket(connection, key))

    async def find_tickets(self, words: str, *, limit: int = 20) -> tuple[Ticket, ...]:
        fit = self._intake.fit(words)
        return await self._read(lambda connection: conversations.find_tickets(connection, fit, limit))

    async def conversation(self, ticket: str) -> Conversation:
        return await self._read(lambda connection: conversations.read(connection, ticket))

    async def conversations(self, wanted: ConversationFilter) -> tuple[Conversation, ...]:
        fit = self._intake.fit(wanted)
        return await self._read(lambda connection: conversations.listed(connection, fit))

    async def keep_changes(self, run_id: str, changes: RepositoryChanges) -> None:
        fit = self._intake.fit(changes)

        def body(connection: sa.Connection) -> None:
            if conversations.keep_changes(connection, rows.lock_run(connection, run_id).ticket, fit):
                rows.append(connection, run_id, EventKind.CHANGES_UPDATED, conversations.size_of(fit))

        await self._tell(run_id, body)

    async def changes(self, ticket: str) -> tuple[RepositoryChanges, ...]:
        return await self._read(lambda connection: conversations.changes_of(connection, ticket))

    async def prefer_model(self, person: str, model: str) -> None:
        values = self._intake.fit({"name": person, "model": model})

        def body(connection: sa.Connection) -> None:
            mine = sa.update(tables.people).where(tables.people.c.name == values["name"]).values(**values)
            if connection.execute(mine).rowcount == 0:
                connection.execute(sa.insert(tables.people).values(**values))

        await self._write(body)

    async def preferred_model(self, person: str) -> str | None:
        query = sa.select(tables.people.c.model).where(tables.people.c.name == self._intake.fit(person))
        return await self._read(lambda connection: connection.execute(query).scalar())

    async def run(self, run_id: str) -> Run:
        return await self._read(lambda connection: rows.read_run(connection, run_id))

    async def runs(self, wanted: RunFilter) -> RunPage:
        return await self._read(lambda connection: rows.list_runs(connection, wanted))

    async def job(self, run_id: str) -> Job:
        return await self._patient(self._read, lambda connection: conversations.job(connection, run_id))

    async def in_work(self) -> tuple[tuple[str, str], ...]:
        worked_on = ACTIVE - {RunStatus.NEEDS_INPUT}
        return await self._read(lambda connection: conversations.works(connection, tuple(worked_on)))

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
        said = self._intake.fit({"outcome": outcome, "error": error, "by": by})

        def body(connection: sa.Connection) -> bool:
            moved = moves.move(connection, run_id, to, **said)
            if moved and enqueue is not None and has_ended(to):
                messages.advance(connection, rows.lock_run(connection, run_id).ticket, enqueue)
            return moved

        return await self._tell(run_id, body, everywhere=True)

    async def stop_run(self, run_id: str, *, outcome: str, by: str) -> str:
        said = self._intake.fit({"outcome": outcome, "by": by})
        ticket, work = await self._write(lambda each: moves.stop(each, run_id, **said))
        self._news_of(ticket)
        return work

    async def remember_session(self, run_id: str, session_id: str) -> str:
        return await self._patient(self._write, lambda each: turns.remember_session(each, run_id, session_id))

    async def append(
        self, run_id: str, kind: EventKind, payload: Mapping[str, Any], *, once: str | None = None
    ) -> int | None:
        fit = self._intake.fit(payload)
        return await self._tell(run_id, lambda connection: rows.append(connection, run_id, kind, fit, once))

    async def whisper(self, run_id: str, text: str) -> None:
        self._signals.write(await self._ticket_of(run_id), self._intake.unfinished(text))

    async def stage_started(self, run_id: str, stage: StageName, *, visit: int = 1) -> None:
        def body(connection: sa.Connection) -> None:
            once = f"{stage} started {visit}"
            if rows.append(connection, run_id, EventKind.STAGE_STARTED, {"stage": stage}, once) is not None:
                rows.start_stage(connection, run_id, stage)

        await self._tell(run_id, body, everywhere=True)

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
        fit = self._intake.fit(summary)

        def body(connection: sa.Connection) -> None:
            payload = {"stage": stage, "status": status, "rounds": rounds, "summary": fit}
            once = f"{stage} ended {visit}"
            if rows.append(connection, run_id, EventKind.STAGE_ENDED, payload, once) is not None:
                rows.end_stage(connection, run_id, stage, status, rounds, fit)

        await self._tell(run_id, body)

    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        fit = self._intake.fit(turn)
        return await self._tell(run_id, lambda connection: turns.record(connection, run_id, name, fit))

    async def turn(self, run_id: str, name: str) -> Turn | None:
        return await self._patient(self._read, lambda connection: turns.read(connection, run_id, name))

    async def last_words(self, session_id: str) -> str:
        return await self._patient(self._read, lambda connection: turns.last_words(connection, session_id))

    async def add_pull_request(self, run_id: str, pull_request: PullRequest) -> None:
        fit = self._intake.fit(pull_request)

        def body(connection: sa.Connection) -> None:
            if rows.add_pull_request(connection, run_id, fit):
                rows.append(connection, run_id, EventKind.PULL_REQUEST, fit.model_dump(mode="json"))

        await self._tell(run_id, body, everywhere=True)

    async def events(self, run_id: str, *, after: int = 0, limit: int = 200) -> Sequence[Event]:
        return await self._read(lambda connection: events.of_run(connection, run_id, after, limit))

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        return follow(self, self._signals, run_id, after=after)

    async def history(
        self, ticket: str, *, after: int = 0, before: int | None = None, limit: int = 200
    ) -> Sequence[Event]:
        return await self._read(lambda connection: events.newest(connection, ticket, after, before, limit))

    async def newest_event(self, run_id: str, kind: EventKind) -> Event | None:
        return await self._read(lambda connection: events.last_of_kind(connection, run_id, kind))

    async def next_events(self, ticket: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        return await self._read(lambda connection: events.following(connection, ticket, after, limit))

    def watch(self, ticket: str | None, *, after: int = 0) -> AsyncIterator[Update]:
        return watch(self, self._signals, ticket, after=after)

    async def spent(self, ticket: str, day: date) -> Spent:
        return await self._patient(self._read, lambda connection: spendings.spent(connection, ticket, day))

    async def reserve(self, spending: Spending) -> None:
        fit = self._intake.fit(spending)
        await self._patient(self._write, lambda connection: spendings.keep(connection, fit))

    async def settle(self, spending: Spending) -> None:
        fit = self._intake.fit(spending)
        await self._patient(self._write, lambda connection: spendings.keep(connection, fit))

    async def _tell(self, run_id: str, body: Body[T], *, everywhere: bool = False) -> T:
        ticket = await self._ticket_of(run_id)
        result = await self._patient(self._write, body)
        self._signals.wake(ticket)
        if everywhere:
            self._signals.wake_all()
        return result

    def _news_of(self, ticket: str) -> None:
        self._signals.wake(ticket)
        self._signals.wake_all()

    async def _ticket_of(self, run_id: str) -> str:
        if run_id not in self._tickets:
            run = await self._patient(self._read, lambda connection: rows.read_run(connection, run_id))
            self._tickets[run_id] = run.ticket
        return self._tickets[run_id]

    @abstractmethod
    async def _patient(self, way: Callable[[Body[T]], Awaitable[T]], body: Body[T]) -> T:
        """Run the transaction that way, and wait for a database that is away."""

    @abstractmethod
    async def _write(self, body: Body[T]) -> T:
        """Run a transaction that may write. Raises StoreUnavailable."""

    @abstractmethod
    async def _read(self, body: Body[T]) -> T:
        """Run a transaction that only reads. Raises StoreUnavailable."""
