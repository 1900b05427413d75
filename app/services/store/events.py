"""Events as they are read back, inside a transaction. Synchronous."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.errors import NotFound
from app.models import Event, EventKind
from app.services.store.rows import event_of
from app.services.store.tables import conversations, events, runs


def of_run(connection: sa.Connection, run_id: str, after: int, limit: int) -> Sequence[Event]:
    """A run's events above `after`, in order. Raises NotFound."""
    query = sa.select(events).where(events.c.run_id == run_id, events.c.seq > after).order_by(events.c.seq)
    found = connection.execute(query.limit(limit)).mappings().all()
    if not found and connection.execute(sa.select(runs.c.id).where(runs.c.id == run_id)).first() is None:
        raise NotFound(f"There is no run {run_id}.")
    return tuple(map(event_of, found))


def last_of_kind(connection: sa.Connection, run_id: str, kind: EventKind) -> Event | None:
    """The run's last event of the kind."""
    query = sa.select(events).where(events.c.run_id == run_id, events.c.kind == kind).order_by(events.c.seq.desc())
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else event_of(row)


def following(connection: sa.Connection, ticket: str, after: int, limit: int) -> Sequence[Event]:
    """A conversation's first events above `after`, in order."""
    query = sa.select(events).where(events.c.ticket == ticket, events.c.seq > after).order_by(events.c.seq)
    return tuple(map(event_of, connection.execute(query.limit(limit)).mappings()))


def known(connection: sa.Connection, ticket: str, after: int, before: int | None, limit: int) -> Sequence[Event]:
    """The same as `newest`. Raises NotFound for an unknown conversation."""
    found = newest(connection, ticket, after, before, limit)
    query = sa.select(conversations.c.ticket).where(conversations.c.ticket == ticket)
    if not found and connection.execute(query).first() is None:
        raise NotFound(f"There is no conversation about {ticket}.")
    return found


def newest(connection: sa.Connection, ticket: str, after: int, before: int | None, limit: int) -> Sequence[Event]:
    """A conversation's last events above `after` and below `before`, in order."""
    query = sa.select(events).where(events.c.ticket == ticket, events.c.seq > after)
    if before is not None:
        query = query.where(events.c.seq < before)
    found = connection.execute(query.order_by(events.c.seq.desc()).limit(limit)).mappings().all()
    return tuple(map(event_of, reversed(found)))
