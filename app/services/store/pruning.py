"""What is old enough to be forgotten, inside a transaction, a few rows at a time. Synchronous."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.domain.run_state import ACTIVE
from app.services.store import rows
from app.services.store.tables import (
    changes,
    checkpoints,
    conversations,
    deliveries,
    events,
    runs,
    transcript_entries,
    turns,
)
from app.services.store.upkeep import Idle

_AT_ONCE = 500
"""Rows of one transaction: some 10 ms of SQLite's one writer."""

_is_active = runs.c.status.in_(sorted(ACTIVE))


def idle_since(connection: sa.Connection, before: datetime) -> tuple[Idle, ...]:
    """See `Upkeep.idle_since`."""
    ended = sa.func.max(runs.c.ended_at)
    query = _resting(before, conversations.c.ticket, conversations.c.session_id).order_by(ended)
    found = connection.execute(query).all()
    if not found:
        return ()
    worked_in = _repositories(connection)
    return tuple(
        Idle(ticket=row.ticket, session_id=row.session_id, repositories=tuple(sorted(worked_in[row.ticket])))
        for row in found
    )


def with_old_events(connection: sa.Connection, before: datetime) -> Sequence[str]:
    """Tickets of conversations that rest since then and have events."""
    some = sa.exists().where(events.c.ticket == conversations.c.ticket)
    return connection.execute(_resting(before, conversations.c.ticket).where(some)).scalars().all()


def forget_events(connection: sa.Connection, ticket: str, before: datetime) -> int:
    """Forget some of a conversation that still rests; how many, 0 at the end."""
    rows.lock_conversation(connection, ticket)  # so that no run begins meanwhile
    if connection.execute(_resting(before, conversations.c.ticket).where(runs.c.ticket == ticket)).first() is None:
        return 0
    oldest = sa.select(events.c.seq).where(events.c.ticket == ticket).order_by(events.c.seq).limit(_AT_ONCE)
    last = sa.select(sa.func.max(oldest.subquery().c.seq)).scalar_subquery()
    return connection.execute(sa.delete(events).where(events.c.ticket == ticket, events.c.seq <= last)).rowcount


def old_sessions(connection: sa.Connection, before: datetime) -> Sequence[str]:
    """Sessions in which nothing was said since then, and that no active run goes on in."""
    newest = sa.func.max(transcript_entries.c.at)
    query = sa.select(transcript_entries.c.session_id).group_by(transcript_entries.c.session_id).having(newest < before)
    return connection.execute(query.where(_unused(transcript_entries.c.session_id))).scalars().all()


def forget_entries(connection: sa.Connection, session_id: str, before: datetime) -> int:
    """Forget some of a session that is still not used; how many, 0 at the end."""
    mine = transcript_entries.c.session_id == session_id, transcript_entries.c.at < before
    some = sa.select(transcript_entries.c.number).where(*mine, _unused(sa.literal(session_id))).limit(_AT_ONCE)
    return connection.execute(sa.delete(transcript_entries).where(transcript_entries.c.number.in_(some))).rowcount


def forget_checkpoints(connection: sa.Connection, before: datetime) -> int:
    """Forget some that hold no work, of conversations that rest since then. What is nowhere else is kept for ever."""
    resting = _resting(before, conversations.c.ticket)
    empty = checkpoints.c.bundle.is_(None), checkpoints.c.ticket.in_(resting)
    return connection.execute(sa.delete(checkpoints).where(*empty)).rowcount


def forget_deliveries(connection: sa.Connection, before: datetime) -> int:
    """Forget some that came before; how many, 0 at the end."""
    some = sa.select(deliveries.c.name).where(deliveries.c.at < before).limit(_AT_ONCE)
    return connection.execute(sa.delete(deliveries).where(deliveries.c.name.in_(some))).rowcount


def _resting(before: datetime, *columns: sa.Column[Any]) -> sa.Select[tuple[Any, ...]]:
    """Conversations without an active run whose last one ended before."""
    joined = sa.join(conversations, runs, runs.c.ticket == conversations.c.ticket)
    active = sa.func.count(sa.case((_is_active, 1)))
    query = sa.select(*columns).select_from(joined).group_by(conversations.c.ticket)
    return query.having(active == 0, sa.func.max(runs.c.ended_at) < before)


def _unused(session_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """That no active run has the session as its author's, or had a turn in it."""
    author = sa.select(runs.c.id).join(conversations, conversations.c.ticket == runs.c.ticket)
    author = author.where(_is_active, conversations.c.session_id == session_id)
    turn = sa.select(runs.c.id).join(turns, turns.c.run_id == runs.c.id)
    turn = turn.where(_is_active, turns.c.session_id == session_id)
    return sa.and_(~author.exists(), ~turn.exists())


def _repositories(connection: sa.Connection) -> defaultdict[str, set[str]]:
    """Those that each conversation's runs chose or changed."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for ticket, repository in connection.execute(sa.select(changes.c.ticket, changes.c.repository)):
        found[ticket].add(repository)
    for ticket, request in connection.execute(sa.select(runs.c.ticket, runs.c.request)):
        found[ticket] |= {each["name"] for each in request.get("repositories", ())}
    return found
