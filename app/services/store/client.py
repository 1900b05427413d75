"""The store over a database."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
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
)
from app.results import Turn
from app.services.store import claims, migrations, rows, tables
from app.services.store.base import Claim, Enqueue, Store
from app.services.store.following import follow
from app.services.store.payloads import without_null
from app.services.store.signals import Signals

T = TypeVar("T")

Body = Callable[[sa.Connection], T]
"""What a transaction does."""

_PATIENCE_S = 60.0
_TRY_AGAIN_S = 0.5


class DatabaseStore(Store):
    """Writes in one thread on SQLite (it has one writer anyway), in several on Postgres; reads beside them.

    What a run does waits up to `patience_s` seconds for a database that is away, so that a restart of it fails no run.
    """

    def __init__(self, *, database: Database, patience_s: float = _PATIENCE_S) -> None:
        self._database = database
        self._patience_s = patience_s
        self._stopped = False
        self._signals = Signals()
        self._writers = ThreadPoolExecutor(1 if database.embedded else 4, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")

    async def start(self) -> None:
        await self._in(self._writers, lambda: migrations.upgrade(self._database))

    async def stop(self) -> None:
        self._stopped = True
        for pool in (self._writers, self._readers):
            await asyncio.to_thread(pool.shutdown, wait=True)
        self._database.close()

    async def check(self) -> None:
        await self._write(lambda connection: connection.execute(sa.text("SELECT 1")))

    async def claim(self, claim: Claim, enqueue: Enqueue) -> Receipt:
        def body(connection: sa.Connection) -> Receipt:
            return claims.take(connection, claim, enqueue)

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

        return await self._patiently(self._read, body)

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
                rows.cut_stages_short(connection, run, StageStatus.FAILED if error else StageStatus.WARNED)
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

        return await self._patiently(self._write, body)

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
            rows.lock_run(connection, run_id)
            if (known := _turn(connection, run_id, name)) is not None:
                return known
            table = tables.turns
            before = sa.select(sa.func.max(table.c.session_cost_usd)).where(table.c.session_id == turn.session_id)
            spent = connection.execute(before).scalar() or 0.0
            own = turn.model_copy(update={"cost_usd": round(max(0.0, turn.session_cost_usd - spent), 6)})
            row = {"run_id": run_id, "name": name, "session_id": turn.session_id, "at": rows.now()}
            result = without_null(own.model_dump(mode="json"))
            connection.execute(sa.insert(table).values(**row, session_cost_usd=turn.session_cost_usd, result=result))
            told = {"turn": name, "turns": own.turns, "duration_s": own.duration_s, "finished": own.finished}
            told |= {"cost_usd": own.cost_usd, "tokens": own.tokens.model_dump()}
            rows.append(connection, run_id, EventKind.TURN_ENDED, told)
            total = rows.add_cost(connection, run_id, own.cost_usd, own.tokens)
            rows.append(connection, run_id, EventKind.COST_UPDATED, total)
            return own

        return await self._tell(run_id, body)

    async def turn(self, run_id: str, name: str) -> Turn | None:
        return await self._patiently(self._read, lambda connection: _turn(connection, run_id, name))

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

    async def _tell(self, run_id: str, body: Body[T]) -> T:
        result = await self._patiently(self._write, body)
        self._signals.wake(run_id)
        return result

    async def _patiently(self, way: Callable[[Body[T]], Awaitable[T]], body: Body[T]) -> T:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                return await way(body)
            except StoreUnavailable:
                if self._stopped or time.monotonic() >= give_up:
                    raise
            await asyncio.sleep(_TRY_AGAIN_S)

    async def _write(self, body: Body[T]) -> T:
        return await self._in(self._writers, lambda: _transaction(self._database.writer, body))

    async def _read(self, body: Body[T]) -> T:
        return await self._in(self._readers, lambda: _transaction(self._database.reader, body))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._stopped:
            raise StoreUnavailable("The service is stopping. Try again in a moment.")
        # Shielded: a transaction that began ends, whoever asked for it; else nobody could know whether it happened.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work))


def _transaction(engine: sa.Engine, body: Body[T]) -> T:
    try:
        with engine.begin() as connection:
            return body(connection)
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        said = str(error.orig).splitlines()[0] if isinstance(error, DBAPIError) else "no connection is free"
        raise StoreUnavailable(f"The database did not answer: {said}. Try again in a moment.") from error


def _turn(connection: sa.Connection, run_id: str, name: str) -> Turn | None:
    table = tables.turns
    query = sa.select(table.c.result).where(table.c.run_id == run_id, table.c.name == name)
    found = connection.execute(query).scalar()
    return None if found is None else Turn.model_validate(found)
