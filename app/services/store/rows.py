"""Between rows and the vocabulary, and the writes that several methods share. Synchronous, inside a transaction."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.errors import ClaimLost, NotFound
from app.models import (
    Event,
    EventKind,
    PullRequest,
    Run,
    RunFilter,
    RunPage,
    StageName,
    StageStatus,
    Ticket,
    Tokens,
)
from app.services.store import stages
from app.services.store.tables import conversations, events, runs

_NEWS = frozenset({EventKind.RUN_STATUS, EventKind.MESSAGE_QUEUED})
"""What lets a conversation be the one that changed last."""


def _counting(ticket: Any, *, news: bool) -> sa.Executable:
    """Gives the conversation its next number, and itself the time `counted_at` when that is `news`."""
    counted = sa.update(conversations).where(conversations.c.ticket == ticket)
    counted = counted.values(last_seq=conversations.c.last_seq + 1)
    if news:
        counted = counted.values(updated_at=sa.bindparam("counted_at"))
    return counted.returning(conversations.c.ticket, conversations.c.last_seq)


# Made once: to build a statement takes four times as long as to run it, and Claude's every step is an event.
_OF_RUN = sa.select(runs.c.ticket).where(runs.c.id == sa.bindparam("whose")).scalar_subquery()
_COUNTING_OF_RUN = {news: _counting(_OF_RUN, news=news) for news in (False, True)}
_COUNTING_OF_TICKET = {news: _counting(sa.bindparam("whose"), news=news) for news in (False, True)}
_INSERT_EVENT = sa.insert(events)


def _insert_claimed() -> sa.Executable:
    """Inserts the event where its run still has the fence `claim`."""
    given = [sa.bindparam(f"event_{column.name}", type_=column.type) for column in events.columns]
    mine = sa.exists().where(runs.c.id == sa.bindparam("claimed"), runs.c.fence == sa.bindparam("fence"))
    names = [column.name for column in events.columns]
    return sa.insert(events).from_select(names, sa.select(*given).where(mine)).returning(events.c.seq)


_INSERT_CLAIMED_EVENT = _insert_claimed()


def now() -> datetime:
    """The time that rows carry."""
    return datetime.now(UTC)


def run_of(row: sa.RowMapping) -> Run:
    """A run from its row."""
    return Run.model_validate({**row["request"], **row})


def ticket_of(row: sa.RowMapping) -> Ticket:
    """A ticket from the row of its conversation."""
    said = {name: row[name] for name in ("summary", "description", "url", "priority")}
    return Ticket(key=row["ticket"], updated_at=row["ticket_updated_at"], **said)


def event_of(row: sa.RowMapping) -> Event:
    """An event from its row."""
    return Event.model_validate(dict(row))


def read_run(connection: sa.Connection, run_id: str) -> Run:
    """A run. Raises NotFound."""
    row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).mappings().first()
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return run_of(row)


def list_runs(connection: sa.Connection, wanted: RunFilter) -> RunPage:
    """A page of runs, newest first."""
    query = sa.select(runs).order_by(runs.c.number.desc()).limit(wanted.limit + 1)
    for column, value in (("ticket", wanted.ticket), ("status", wanted.status), ("trigger", wanted.trigger)):
        if value is not None:
            query = query.where(runs.c[column] == value)
    if wanted.before is not None:
        query = query.where(runs.c.number < wanted.before)
    found = connection.execute(query).mappings().all()
    page, more = found[: wanted.limit], len(found) > wanted.limit
    return RunPage(runs=tuple(map(run_of, page)), next=page[-1]["number"] if more else None)


def lock_run(connection: sa.Connection, run_id: str) -> Run:
    """The run, its conversation held against other writers until the transaction ends. Raises NotFound."""
    lock_conversation(connection, ticket_of_run(run_id))
    return read_run(connection, run_id)


def ticket_of_run(run_id: str) -> sa.ScalarSelect[str]:
    """The run's ticket, for another statement."""
    return sa.select(runs.c.ticket).where(runs.c.id == run_id).scalar_subquery()


def lock_conversation(connection: sa.Connection, ticket: str | sa.ScalarSelect[str]) -> None:
    """Hold the conversation against other writers until the transaction ends.

    It is the one lock for everything in it, and the first that a transaction takes, so that no two wait for each other.
    """
    mine = sa.select(conversations.c.ticket).where(conversations.c.ticket == ticket)
    # Its key is not held: whoever inserts a row that refers to the conversation holds that for a moment.
    connection.execute(mine.with_for_update(key_share=True))


def append(
    connection: sa.Connection,
    run_id: str,
    kind: EventKind,
    payload: Mapping[str, Any],
    once: str | None = None,
    fence: int | None = None,
) -> int | None:
    """Append an event of a run in the caller's transaction; None when the run has one of that name already.

    With `fence` only while the run has it. Raises NotFound or ClaimLost.
    """
    if once is not None:
        known = sa.select(events.c.seq).where(events.c.run_id == run_id, events.c.once == once)
        if connection.execute(known).first() is not None:
            return None
    place = _next_place(connection, kind, _COUNTING_OF_RUN, run_id)
    if place is None:
        raise NotFound(f"There is no run {run_id}.")
    _insert(connection, place, kind, payload, run_id=run_id, once=once, fence=fence)
    return int(place["last_seq"])


def tell(connection: sa.Connection, ticket: str, kind: EventKind, payload: Mapping[str, Any]) -> None:
    """Append an event that belongs to no run."""
    if (place := _next_place(connection, kind, _COUNTING_OF_TICKET, ticket)) is not None:
        _insert(connection, place, kind, payload)


def _next_place(
    connection: sa.Connection, kind: EventKind, counting: Mapping[bool, sa.Executable], whose: str
) -> sa.RowMapping | None:
    told = {"whose": whose, "counted_at": now()} if kind in _NEWS else {"whose": whose}
    return connection.execute(counting[kind in _NEWS], told).mappings().one_or_none()


def _insert(
    connection: sa.Connection,
    place: sa.RowMapping,
    kind: EventKind,
    payload: Mapping[str, Any],
    *,
    run_id: str | None = None,
    once: str | None = None,
    fence: int | None = None,
) -> None:
    row: dict[str, Any] = {"ticket": place["ticket"], "seq": place["last_seq"], "run_id": run_id, "kind": kind}
    row |= {"at": now(), "payload": dict(payload), "once": once}
    if fence is None:
        connection.execute(_INSERT_EVENT, row)
        return
    # The fence is looked at here and not while counting: on Postgres a statement that waits for the conversation, as
    # counting does, does not see who took the run meanwhile.
    given = {f"event_{name}": value for name, value in row.items()}
    if connection.execute(_INSERT_CLAIMED_EVENT, {**given, "claimed": run_id, "fence": fence}).scalar() is None:
        raise claim_lost(run_id)


def claim_lost(run_id: str | None) -> ClaimLost:
    """What the one hears who had the run before."""
    return ClaimLost(f"Another worker has run {run_id} by now. It goes on there; there is nothing to do here.")


def start_stage(connection: sa.Connection, run_id: str, name: StageName) -> None:
    """The stage runs: for the first time, or once more."""
    known = read_run(connection, run_id).stages
    _keep_stages(connection, run_id, stages.started(known, name, at=now()))


def end_stage(
    connection: sa.Connection, run_id: str, name: StageName, status: StageStatus, rounds: int, summary: str
) -> None:
    """The stage runs no more."""
    known = read_run(connection, run_id).stages
    _keep_stages(connection, run_id, stages.ended(known, name, status, rounds=rounds, summary=summary, at=now()))


def cut_stages_short(connection: sa.Connection, run: Run, status: StageStatus) -> None:
    """What still runs when the run ends, ends with it."""
    _keep_stages(connection, run.id, stages.cut_short(run.stages, status, at=now()))


def add_cost(connection: sa.Connection, run_id: str, cost_usd: float, tokens: Tokens) -> Mapping[str, Any]:
    """Add to what the run has cost; the return is the sum, as an event tells it."""
    run = read_run(connection, run_id)
    total = {"cost_usd": round(run.cost_usd + cost_usd, 6), "tokens": (run.tokens + tokens).model_dump()}
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**total))
    return total


def add_pull_request(connection: sa.Connection, run_id: str, pull_request: PullRequest) -> bool:
    """Add a pull request to the run; False when its URL is there."""
    known = lock_run(connection, run_id).pull_requests
    if any(other.url == pull_request.url for other in known):
        return False
    dumped = [each.model_dump(mode="json") for each in (*known, pull_request)]
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(pull_requests=dumped))
    return True


def _keep_stages(connection: sa.Connection, run_id: str, kept: stages.Stages) -> None:
    dumped = [stage.model_dump(mode="json") for stage in kept]
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(stages=dumped))
