"""Between rows and the vocabulary, and the writes that several methods share. Synchronous, inside a transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.errors import NotFound
from app.models import (
    Event,
    EventKind,
    Job,
    PipelineOptions,
    PullRequest,
    Run,
    StageName,
    StageStatus,
    Ticket,
    Tokens,
)
from app.services.store import stages, tables
from app.services.store.payloads import without_null


def now() -> datetime:
    """The time that rows carry."""
    return datetime.now(UTC)


def run_of(row: sa.RowMapping) -> Run:
    """A run from its row."""
    return Run.model_validate(dict(row))


def job_of(row: sa.RowMapping) -> Job:
    """A job from the joined row of run and conversation."""
    ticket = Ticket(key=row["ticket"], summary=row["summary"], description=row["description"], url=row["url"])
    return Job(
        run_id=row["id"],
        ticket=ticket,
        mode=row["mode"],
        trigger=row["trigger"],
        options=PipelineOptions.model_validate(row["options"]),
        session_id=row["session_id"],
        status=row["status"],
    )


def event_of(row: sa.RowMapping) -> Event:
    """An event from its row."""
    return Event(seq=row["seq"], kind=row["kind"], at=row["at"], payload=row["payload"])


def lock_run(connection: sa.Connection, run_id: str) -> Run:
    """The run, held against other writers until the transaction ends. Raises NotFound."""
    row = (
        connection.execute(sa.select(tables.runs).where(tables.runs.c.id == run_id).with_for_update())
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return run_of(row)


def append(
    connection: sa.Connection,
    run_id: str,
    kind: EventKind,
    payload: Mapping[str, Any],
    once: str | None = None,
) -> int | None:
    """Append an event in the caller's transaction; None when the run has one of that name already."""
    events, runs = tables.events, tables.runs
    if once is not None:
        known = sa.select(events.c.seq).where(events.c.run_id == run_id, events.c.once == once)
        if connection.execute(known).first() is not None:
            return None
    counted = sa.update(runs).where(runs.c.id == run_id).values(last_seq=runs.c.last_seq + 1).returning(runs.c.last_seq)
    seq = connection.execute(counted).scalar_one_or_none()
    if seq is None:
        raise NotFound(f"There is no run {run_id}.")
    row = {
        "run_id": run_id,
        "seq": seq,
        "kind": kind,
        "at": now(),
        "payload": without_null(dict(payload)),
        "once": once,
    }
    connection.execute(sa.insert(events).values(row))
    return int(seq)


def start_stage(connection: sa.Connection, run_id: str, name: StageName) -> None:
    """The stage runs: for the first time, or once more."""
    known = lock_run(connection, run_id).stages
    _keep_stages(connection, run_id, stages.started(known, name, at=now()))


def end_stage(
    connection: sa.Connection, run_id: str, name: StageName, status: StageStatus, rounds: int, summary: str
) -> None:
    """The stage runs no more."""
    known = lock_run(connection, run_id).stages
    _keep_stages(connection, run_id, stages.ended(known, name, status, rounds=rounds, summary=summary, at=now()))


def cut_stages_short(connection: sa.Connection, run: Run, status: StageStatus) -> None:
    """What still runs when the run ends, ends with it."""
    _keep_stages(connection, run.id, stages.cut_short(run.stages, status, at=now()))


def add_cost(connection: sa.Connection, run_id: str, cost_usd: float, tokens: Tokens) -> Mapping[str, Any]:
    """Add to what the run has cost; the return is the sum, as an event tells it."""
    run = lock_run(connection, run_id)
    total = {"cost_usd": round(run.cost_usd + cost_usd, 6), "tokens": (run.tokens + tokens).model_dump()}
    connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(**total))
    return total


def add_pull_request(connection: sa.Connection, run_id: str, pull_request: PullRequest) -> bool:
    """Add a pull request to the run; False when its URL is there."""
    known = lock_run(connection, run_id).pull_requests
    if any(other.url == pull_request.url for other in known):
        return False
    dumped = [each.model_dump(mode="json") for each in (*known, pull_request)]
    connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(pull_requests=dumped))
    return True


def _keep_stages(connection: sa.Connection, run_id: str, kept: stages.Stages) -> None:
    dumped = [stage.model_dump(mode="json") for stage in kept]
    connection.execute(sa.update(tables.runs).where(tables.runs.c.id == run_id).values(stages=dumped))
