"""Which worker has a run, inside a transaction. Synchronous.

A run's fence counts how often it was taken. Whoever works on it carries the number that it had then, and what is
written for it looks at the number once nobody else can change it any more.
"""

import sqlalchemy as sa

from app.errors import NotFound
from app.services.store import rows
from app.services.store.tables import runs


def take(connection: sa.Connection, run_id: str, worker: str) -> int:
    """Give the run to the worker; the return is its fence. Raises NotFound."""
    rows.lock_conversation(connection, rows.ticket_of_run(run_id))
    taken = sa.update(runs).where(runs.c.id == run_id).values(fence=runs.c.fence + 1, worker=worker)
    fence: int | None = connection.execute(taken.returning(runs.c.fence)).scalar()
    if fence is None:
        raise NotFound(f"There is no run {run_id}.")
    return fence


def check(connection: sa.Connection, run_id: str, fence: int) -> None:
    """Raise ClaimLost when the run was taken since, and NotFound."""
    current = connection.execute(sa.select(runs.c.fence).where(runs.c.id == run_id)).scalar()
    if current is None:
        raise NotFound(f"There is no run {run_id}.")
    if current != fence:
        raise rows.claim_lost(run_id)


def check_locked(connection: sa.Connection, run_id: str, fence: int) -> None:
    """The same, and the run stays with whoever has it until the transaction ends."""
    # Two statements: on Postgres one that waits for the lock does not see what was written meanwhile.
    rows.lock_conversation(connection, rows.ticket_of_run(run_id))
    check(connection, run_id, fence)


def worked(connection: sa.Connection, run_id: str, seconds: float, fence: int | None) -> float:
    """Add to the time that was worked on the run; the return is the whole. Raises NotFound or ClaimLost."""
    mine = sa.update(runs).where(runs.c.id == run_id).values(worked_s=runs.c.worked_s + seconds)
    if fence is not None:
        mine = mine.where(runs.c.fence == fence)
    total: float | None = connection.execute(mine.returning(runs.c.worked_s)).scalar()
    if total is None:
        rows.read_run(connection, run_id)
        raise rows.claim_lost(run_id)
    return total
