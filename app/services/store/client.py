"""The store over a database."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.database import Database
from app.domain.run_state import ACTIVE, has_ended, may_move
from app.errors import Conflict, NotFound, StoreUnavailable
from app.models import (
    Event,
    EventKind,
    Job,
    PullRequest,
    Receipt,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    StageName,
    StageStatus,
    Ticket,
    Turn,
)
from app.services.store import migrations, rows, tables
from app.services.store.base import Claim, Enqueue, Store
from app.services.store.following import follow
from app.services.store.signals import Signals

T = TypeVar("T")


class DatabaseStore(Store):
    """Writes in one thread on SQLite (it has one writer anyway), in several on Postgres; reads beside them."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._signals = Signals()
        self._writers = ThreadPoolExecutor(1 if database.embedded else 4, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")

    async def start(self) -> None:
        await self._in(self._writers, lambda: migrations.upgrade(self._database))

    async def stop(self) -> None:
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)

    async def check(self) -> None:
        await self._write(lambda connection: connection.execute(sa.text("SELECT 1")))

    async def claim(self, claim: Claim, enqueue: Enqueue) -> Receipt:
        def body(connection: sa.Connection) -> Receipt:
            for name, since in claim.deliveries:
                if (known := _delivered(connection, name, since)) is not None:
                    return _duplicate(claim, known, "this request was taken already")
            changed = _keep_ticket(connection, claim.ticket)
            if (known := _active_run(connection, claim.ticket.key)) is not None:
                if changed:
                    rows.append(connection, known, EventKind.TICKET_UPDATED, {"summary": claim.ticket.summary})
                return _duplicate(claim, known, f"{claim.ticket.key} is being worked on already")
            run_id = str(uuid.uuid4())
            _insert_run(connection, run_id, claim)
            for name, _ in claim.deliveries:
                _keep_delivery(connection, name, run_id)
            enqueue(connection, run_id)
            return Receipt(status="accepted", ticket=claim.ticket.key, run_id=run_id)

        try:
            receipt = await self._write(body)
        except IntegrityError:
            # Another process took the ticket between our look and our insert: now its run is there to be named.
            receipt = await self._write(body)
        if receipt.run_id is not None:
            self._signals.wake(receipt.run_id)
        return receipt

    async def run(self, run_id: str) -> Run:
        def body(connection: sa.Connection) -> Run:
            row = connection.execute(sa.select(tables.runs).where(tables.runs.c.id == run_id)).mappings().first()
            if row is None:
                raise NotFound(f"There is no run {run_id}.")
            return rows.run_of(row)

        return await self._read(body)

    async def runs(self, wanted: RunFilter) -> RunPage:
        def body(connection: sa.Connection) -> RunPage:
            table = tables.runs
            query = sa.select(table).order_by(table.c.number.desc()).limit(wanted.limit + 1)
            for column, value in (
                ("ticket", wanted.ticket),
                ("status", wanted.status),
                ("trigger", wanted.trigger),
            ):
                if value is not None:
                    query = query.where(table.c[column] == value)
            if wanted.before is not None:
                query = query.where(table.c.number < wanted.before)
            found = connection.execute(query).mappings().all()
            more = len(found) > wanted.limit
            page = found[: wanted.limit]
            return RunPage(runs=tuple(map(rows.run_of, page)), next=page[-1]["number"] if more else None)

        return await self._read(body)

    async def job(self, run_id: str) -> Job:
        def body(connection: sa.Connection) -> Job:
            joined = sa.join(tables.runs, tables.conversations)
            columns = (*tables.runs.c, *(c for c in tables.conversations.c if c.name not in tables.runs.c))
            row = connection.execute(sa.select(*columns).select_from(joined).where(tables.runs.c.id == run_id))
            if (found := row.mappings().first()) is None:
                raise NotFound(f"There is no run {run_id}.")
            return rows.job_of(found)

        return await self._read(body)

    async def active(self) -> tuple[str, ...]:
        query = (
            sa.select(tables.runs.c.id).where(tables.runs.c.status.in_(sorted(ACTIVE))).order_by(tables.runs.c.number)
        )
        return await self._read(lambda connection: tuple(connection.execute(query).scalars()))

    async def move(
        self,
        run_id: str,
        to: RunStatus,
        *,
        outcome: str | None = None,
        error: str | None = None,
        by: str | None = None,
    ) -> bool:
        def body(connection: sa.Connection) -> bool:
            run = rows.lock_run(connection, run_id)
            if run.status == to:
                return False
            if not may_move(run.status, to):
                raise Conflict(f"Run {run_id} is {run.status}; it cannot become {to}.")
            values: dict[str, Any] = {"status": to, "outcome": outcome, "error": error}
            if run.started_at is None and to is RunStatus.RUNNING:
                values["started_at"] = rows.now()
            if has_ended(to):
                values["ended_at"] = rows.now()
            connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(**values))
            if error is not None:
                rows.append(connection, run_id, EventKind.ERROR, {"message": error})
            payload = {"status": to, "reason": outcome, "by": by}
            rows.append(connection, run_id, EventKind.RUN_STATUS, {k: v for k, v in payload.items() if v is not None})
            return True

        return await self._tell(run_id, body)

    async def remember_session(self, run_id: str, session_id: str) -> str:
        def body(connection: sa.Connection) -> str:
            conversations = tables.conversations
            key = rows.lock_run(connection, run_id).ticket
            mine = conversations.c.ticket == key
            known = connection.execute(sa.select(conversations.c.session_id).where(mine)).scalar_one()
            if known is None:
                connection.execute(sa.update(conversations).where(mine).values(session_id=session_id))
            return known or session_id

        return await self._write(body)

    async def forget_session(self, run_id: str) -> None:
        def body(connection: sa.Connection) -> None:
            conversations = tables.conversations
            key = rows.lock_run(connection, run_id).ticket
            connection.execute(sa.update(conversations).where(conversations.c.ticket == key).values(session_id=None))

        await self._write(body)

    async def append(
        self, run_id: str, kind: EventKind, payload: Mapping[str, Any], *, once: str | None = None
    ) -> int | None:
        return await self._tell(run_id, lambda connection: rows.append(connection, run_id, kind, payload, once))

    async def stage_started(self, run_id: str, stage: StageName, *, visit: int = 1) -> None:
        def body(connection: sa.Connection) -> None:
            once = f"{stage} started {visit}"
            if rows.append(connection, run_id, EventKind.STAGE_STARTED, {"stage": stage}, once) is not None:
                rows.start_stage(connection, run_id, stage)

        await self._tell(run_id, body)

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
        def body(connection: sa.Connection) -> None:
            payload = {"stage": stage, "status": status, "rounds": rounds, "summary": summary}
            once = f"{stage} ended {visit}"
            if rows.append(connection, run_id, EventKind.STAGE_ENDED, payload, once) is not None:
                rows.end_stage(connection, run_id, stage, status, rounds, summary)

        await self._tell(run_id, body)

    async def record_turn(self, run_id: str, name: str, turn: Turn) -> Turn:
        def body(connection: sa.Connection) -> Turn:
            if (known := _turn(connection, run_id, name)) is not None:
                return known
            table = tables.turns
            before = sa.select(sa.func.max(table.c.session_cost_usd)).where(table.c.session_id == turn.session_id)
            spent = connection.execute(before).scalar() or 0.0
            own = turn.model_copy(update={"cost_usd": round(max(0.0, turn.session_cost_usd - spent), 6)})
            row = {"run_id": run_id, "name": name, "session_id": turn.session_id, "at": rows.now()}
            result = rows.without_null(own.model_dump(mode="json"))
            connection.execute(sa.insert(table).values(**row, session_cost_usd=turn.session_cost_usd, result=result))
            told = {"turn": name, "turns": own.turns, "duration_s": own.duration_s, "finished": own.finished}
            told |= {"cost_usd": own.cost_usd, "tokens": own.tokens.model_dump()}
            rows.append(connection, run_id, EventKind.TURN_ENDED, told)
            total = rows.add_cost(connection, run_id, own.cost_usd, own.tokens)
            rows.append(connection, run_id, EventKind.COST_UPDATED, total)
            return own

        return await self._tell(run_id, body)

    async def turn(self, run_id: str, name: str) -> Turn | None:
        return await self._read(lambda connection: _turn(connection, run_id, name))

    async def add_pull_request(self, run_id: str, pull_request: PullRequest) -> None:
        def body(connection: sa.Connection) -> None:
            if rows.add_pull_request(connection, run_id, pull_request):
                rows.append(connection, run_id, EventKind.PULL_REQUEST, pull_request.model_dump(mode="json"))

        await self._tell(run_id, body)

    async def events(self, run_id: str, *, after: int = 0, limit: int = 200) -> Sequence[Event]:
        def body(connection: sa.Connection) -> Sequence[Event]:
            table = tables.events
            query = sa.select(table).where(table.c.run_id == run_id, table.c.seq > after).order_by(table.c.seq)
            found = connection.execute(query.limit(limit)).mappings().all()
            if (
                not found
                and connection.execute(sa.select(tables.runs.c.id).where(tables.runs.c.id == run_id)).first() is None
            ):
                raise NotFound(f"There is no run {run_id}.")
            return tuple(map(rows.event_of, found))

        return await self._read(body)

    def follow(self, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        return follow(self, self._signals, run_id, after=after)

    async def _tell(self, run_id: str, body: Callable[[sa.Connection], T]) -> T:
        result = await self._write(body)
        self._signals.wake(run_id)
        return result

    async def _write(self, body: Callable[[sa.Connection], T]) -> T:
        return await self._in(self._writers, lambda: _transaction(self._database.writer, body))

    async def _read(self, body: Callable[[sa.Connection], T]) -> T:
        return await self._in(self._readers, lambda: _transaction(self._database.reader, body))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        # Shielded: a transaction that began ends, whoever asked for it; else the caller could not know whether it happened.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work))


def _transaction(engine: sa.Engine, body: Callable[[sa.Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return body(connection)
    except (OperationalError, PoolTimeoutError) as error:
        message = f"The database did not answer ({type(error.__cause__ or error).__name__}). Try again in a moment."
        raise StoreUnavailable(message) from error


def _keep_ticket(connection: sa.Connection, ticket: Ticket) -> bool:
    """Keep the newest text of the ticket; whether it is another one than before."""
    table, at = tables.conversations, rows.now()
    known = connection.execute(sa.select(table).where(table.c.ticket == ticket.key)).mappings().first()
    values = {"summary": ticket.summary, "description": ticket.description, "url": ticket.url}
    if known is None:
        connection.execute(sa.insert(table).values(ticket=ticket.key, created_at=at, updated_at=at, **values))
        return True
    if all(known[name] == value for name, value in values.items()):
        return False
    connection.execute(sa.update(table).where(table.c.ticket == ticket.key).values(**values, updated_at=at))
    return True


def _active_run(connection: sa.Connection, key: str) -> str | None:
    table = tables.runs
    query = sa.select(table.c.id).where(table.c.ticket == key, table.c.status.in_(sorted(ACTIVE)))
    return connection.execute(query).scalar()


def _delivered(connection: sa.Connection, name: str, since: Any) -> str | None:
    table = tables.deliveries
    query = sa.select(table.c.run_id).where(table.c.name == name)
    return connection.execute(query if since is None else query.where(table.c.at >= since)).scalar()


def _keep_delivery(connection: sa.Connection, name: str, run_id: str) -> None:
    table, values = tables.deliveries, {"run_id": run_id, "at": rows.now()}
    if connection.execute(sa.update(table).where(table.c.name == name).values(**values)).rowcount == 0:
        connection.execute(sa.insert(table).values(name=name, **values))


def _insert_run(connection: sa.Connection, run_id: str, claim: Claim) -> None:
    run: dict[str, Any] = {"id": run_id, "ticket": claim.ticket.key, "status": RunStatus.QUEUED, "mode": claim.mode}
    run |= {"trigger": claim.trigger, "options": claim.options.model_dump(), "created_at": rows.now()}
    empty: dict[str, Any] = {"stages": [], "pull_requests": [], "tokens": {}, "cost_usd": 0.0, "last_seq": 0}
    connection.execute(sa.insert(tables.runs).values(**run, **empty))
    rows.append(connection, run_id, EventKind.RUN_STATUS, {"status": RunStatus.QUEUED, "trigger": claim.trigger})


def _turn(connection: sa.Connection, run_id: str, name: str) -> Turn | None:
    table = tables.turns
    query = sa.select(table.c.result).where(table.c.run_id == run_id, table.c.name == name)
    found = connection.execute(query).scalar()
    return None if found is None else Turn.model_validate(found)


def _duplicate(claim: Claim, run_id: str, reason: str) -> Receipt:
    return Receipt(status="duplicate", ticket=claim.ticket.key, run_id=run_id, reason=reason)
