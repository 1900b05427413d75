"""How much there is, inside a transaction. Synchronous."""

from collections import Counter
from datetime import datetime

import sqlalchemy as sa

from app.domain.naming import bucket_of
from app.models import RunStatus
from app.services.store import rows
from app.services.store.tables import conversations, events, runs
from app.services.store.upkeep import Census


def census(connection: sa.Connection) -> Census:
    """See `Upkeep.census`."""
    by_status = sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status)
    found = {RunStatus(status): number for status, number in connection.execute(by_status)}
    queued = sa.select(runs.c.ticket, runs.c.queued_at).where(runs.c.status == RunStatus.QUEUED)
    waiting = connection.execute(queued).all()
    oldest = min((row.queued_at for row in waiting if row.queued_at is not None), default=None)
    return Census(
        runs=found,
        queued=Counter(bucket_of(row.ticket) for row in waiting),
        oldest_queued_s=None if oldest is None else _seconds_since(oldest),
    )


def sessions(connection: sa.Connection) -> frozenset[str]:
    """See `Upkeep.sessions`."""
    known = sa.select(conversations.c.session_id).where(conversations.c.session_id.is_not(None))
    return frozenset(connection.execute(known).scalars())


def seconds_queued(connection: sa.Connection, run_id: str) -> float:
    """How long ago the run was queued, for its first leg or for the one after an answer."""
    queued_at = connection.execute(sa.select(runs.c.queued_at).where(runs.c.id == run_id)).scalar_one()
    return 0.0 if queued_at is None else _seconds_since(queued_at)


def seconds_of_visit(connection: sa.Connection, run_id: str, begun: str) -> float:
    """How long ago the run's event of that name was, which said that a stage began."""
    begun_at = connection.execute(
        sa.select(events.c.at).where(events.c.run_id == run_id, events.c.once == begun)
    ).scalar()
    return 0.0 if begun_at is None else _seconds_since(begun_at)


def _seconds_since(at: datetime) -> float:
    return max(0.0, (rows.now() - at).total_seconds())
