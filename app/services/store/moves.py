"""How a run moves from one status to the next, inside a transaction, and what its end begins. Synchronous."""

from typing import Any

import sqlalchemy as sa

from app import metrics
from app.domain.naming import work_id
from app.domain.run_state import has_ended, may_move
from app.errors import Conflict
from app.models import EventKind, Run, RunStatus, StageStatus
from app.services.store import counts, rows
from app.services.store.tables import runs


def move(
    connection: sa.Connection,
    run_id: str,
    to: RunStatus,
    *,
    outcome: str | None = None,
    error: str | None = None,
    by: str | None = None,
) -> bool:
    """Move the run as the rules allow; False when it is there already. Raises NotFound or Conflict."""
    run = rows.lock_run(connection, run_id)
    if run.status == to:
        return False
    if not may_move(run.status, to):
        raise Conflict(f"Run {run_id} is {run.status}; it cannot become {to}.")
    values: dict[str, Any] = {"status": to, "outcome": outcome, "error": error, **_times(run, to)}
    if has_ended(to):
        rows.cut_stages_short(connection, run, StageStatus.FAILED if error else StageStatus.WARNED)
    if run.status is RunStatus.QUEUED and to is RunStatus.RUNNING:
        metrics.dispatch.observe(counts.seconds_queued(connection, run_id))
    connection.execute(sa.update(runs).where(runs.c.id == run_id).values(**values))
    if error is not None:
        rows.append(connection, run_id, EventKind.ERROR, {"message": error})
    payload = {"status": to, "reason": outcome, "by": by}
    rows.append(connection, run_id, EventKind.RUN_STATUS, {k: v for k, v in payload.items() if v is not None})
    return True


def stop(connection: sa.Connection, run_id: str, *, outcome: str, by: str) -> tuple[str, str]:
    """End the run as idle; the return is its ticket, and the work that may still go on. Raises NotFound or Conflict."""
    run = rows.lock_run(connection, run_id)
    if has_ended(run.status):
        raise Conflict(f"Run {run_id} has ended ({run.status}); there is nothing to stop.")
    leg = connection.execute(sa.select(runs.c.leg).where(runs.c.id == run_id)).scalar_one()
    move(connection, run_id, RunStatus.IDLE, outcome=outcome, by=by)
    return run.ticket, work_id(run_id, leg)


def _times(run: Run, to: RunStatus) -> dict[str, Any]:
    times = {}
    if run.started_at is None and to is RunStatus.RUNNING:
        times["started_at"] = rows.now()
    if has_ended(to):
        times["ended_at"] = rows.now()
    return times
