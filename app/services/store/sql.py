"""The store's statements over whatever runs them: each method is one transaction."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from app import metrics
from app.domain.budget import Spending, Spent
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
from app.services.store import (
    claims,
    conversations,
    counts,
    events,
    messages,
    moves,
    questions,
    rows,
    spendings,
    tables,
    turns,
)
from app.services.store.base import Claim, Enqueue, Store, Update
from app.services.store.following import follow, watch
from app.services.store.sql_fleet import SqlFleet
from app.services.store.sql_upkeep import SqlUpkeep


class SqlStore(SqlFleet, SqlUpkeep, Store):
    """Everything but where a transaction is run: see `Transactions`, which also knows what waits for a database that is
    away, and what needs a claim.

    Whatever text comes in is made fit to keep first, what is looked for as well, so that no statement and no follower
    sees a secret. `redactor` None knows the shapes of credentials only.
    """

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
        return await self._read(lambda connection: conversations.job(connection, run_id), patient=True)

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

        if by is None:
            return await self._tell(run_id, body, everywhere=True)
        ticket = await self._ticket_of(run_id, patient=False)
        moved = await self._write(body)
        self._news_of(ticket)
        return moved

    async def stop_run(self, run_id: str, *, outcome: str, by: str) -> str:
        said = self._intake.fit({"outcome": outcome, "by": by})
        ticket, work = await self._write(lambda each: moves.stop(each, run_id, **said))
        self._news_of(ticket)
        return work

    async def remember_session(self, run_id: str, session_id: str) -> str:
        return await self._work(run_id, lambda each: turns.remember_session(each, run_id, session_id))

    async def append(
        self,
        run_id: str,
        kind: EventKind,
        payload: Mapping[str, Any],
        *,
        once: str | None = None,
        claimed: bool = True,
    ) -> int | None:
        fit, ticket = self._intake.fit(payload), await self._ticket_of(run_id, patient=claimed)
        fence = self._fences.get(run_id) if claimed else None
        number = await self._write(lambda each: rows.append(each, run_id, kind, fit, once, fence), patient=claimed)
        self._news_of(ticket, everywhere=False)
        return number

    async def whisper(self, run_id: str, text: str) -> None:
        ticket, fit = await self._ticket_of(run_id), self._intake.unfinished(text)
        self._signals.write(ticket, fit)
        self._whispered(ticket, fit)

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

        def body(connection: sa.Connection) -> float | None:
            payload = {"stage": stage, "status": status, "rounds": rounds, "summary": fit}
            once = f"{stage} ended {visit}"
            if rows.append(connection, run_id, EventKind.STAGE_ENDED, payload, once) is None:
                return None
            rows.end_stage(connection, run_id, stage, status, rounds, fit)
            return counts.seconds_of_visit(connection, run_id, f"{stage} started {visit}")

        if (took_s := await self._tell(run_id, body)) is not None:
            metrics.stages.labels(stage).observe(took_s)

    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        fit = self._intake.fit(turn)
        return await self._tell(run_id, lambda connection: turns.record(connection, run_id, name, fit))

    async def turn(self, run_id: str, name: str) -> Turn | None:
        return await self._read(lambda connection: turns.read(connection, run_id, name), patient=True)

    async def last_words(self, session_id: str) -> str:
        return await self._read(lambda connection: turns.last_words(connection, session_id), patient=True)

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
        return await self._read(lambda connection: events.known(connection, ticket, after, before, limit))

    async def newest_event(self, run_id: str, kind: EventKind) -> Event | None:
        return await self._read(lambda connection: events.last_of_kind(connection, run_id, kind))

    async def next_events(self, ticket: str, *, after: int, limit: int = 200) -> Sequence[Event]:
        return await self._read(lambda connection: events.following(connection, ticket, after, limit))

    def watch(self, ticket: str | None, *, after: int = 0) -> AsyncIterator[Update]:
        return watch(self, self._signals, ticket, after=after)

    async def spent(self, ticket: str, day: date) -> Spent:
        return await self._read(lambda connection: spendings.spent(connection, ticket, day), patient=True)

    async def reserve(self, spending: Spending) -> None:
        fit = self._intake.fit(spending)
        await self._write(lambda connection: spendings.keep(connection, fit), patient=True)

    async def settle(self, spending: Spending) -> None:
        fit = self._intake.fit(spending)
        await self._write(lambda connection: spendings.keep(connection, fit), patient=True)
