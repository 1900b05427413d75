"""Who works on the queue, as each said last, inside a transaction. By the database's clock. Synchronous."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.results import Worker
from app.services.store import rows
from app.services.store.tables import UtcDateTime, workers

_FORGOTTEN_AFTER = timedelta(days=1)


def beat(connection: sa.Connection, worker: Worker) -> None:
    """Keep what the worker says of itself, and that it was seen."""
    said = worker.model_dump(exclude={"id", "started_at", "seen_at"}) | {"seen_at": _clock(connection)}
    known = sa.update(workers).where(workers.c.id == worker.id).values(**said)
    if connection.execute(known).rowcount == 0:
        connection.execute(sa.insert(workers).values(id=worker.id, started_at=said["seen_at"], **said))


def leave(connection: sa.Connection, worker_id: str) -> None:
    """Forget the worker."""
    connection.execute(sa.delete(workers).where(workers.c.id == worker_id))


def listed(connection: sa.Connection) -> tuple[tuple[Worker, float], ...]:
    """Each with the seconds since it was seen; the eldest first."""
    query = sa.select(workers, _clock(connection).label("at")).order_by(workers.c.started_at, workers.c.id)
    found = connection.execute(query).mappings()
    return tuple((Worker.model_validate(dict(row)), (row["at"] - row["seen_at"]).total_seconds()) for row in found)


def forget_lost(connection: sa.Connection) -> int:
    """Forget those that were not seen for a day; how many there were."""
    at = connection.execute(sa.select(_clock(connection))).scalar_one()
    return connection.execute(sa.delete(workers).where(workers.c.seen_at < at - _FORGOTTEN_AFTER)).rowcount


def _clock(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """The time at the database, which is the one clock that all workers have in common."""
    if connection.dialect.name == "postgresql":
        return sa.func.clock_timestamp(type_=UtcDateTime)
    return sa.literal(rows.now(), UtcDateTime)  # the database is in this process
