"""The queue in DBOS's table of workflows: who works on what, and what begins next.

DBOS's own queues are not used for this. Their limits and the worker's own are one row for all workers, of which the
last one to start has its way, none can be told to take nothing more, and with limits of partitions a work of a bucket
that nobody named never begins. Here all workers choose in turns, so that the limits hold exactly.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.database import Database
from app.services.engine.dispatching import Limits, Queued, next_works

_TURN = 4_202_613  # advisory lock: one worker chooses at a time
_LONGEST_TURN_S = 10  # a worker that freezes while it chooses must not keep the others from it

_QUEUED, _AT_WORK = "ENQUEUED", "PENDING"
_UNFINISHED = (_QUEUED, "DELAYED", _AT_WORK)


@dataclass(frozen=True)
class Claimed:
    """A work that this worker has taken. `deaths` counts the executions before that ended with their process."""

    id: str
    deaths: int


class Queue:
    """The works in the queue `name` of one database, each an execution of `workflow`.

    All calls block; they raise what SQLAlchemy raises.
    """

    def __init__(self, *, database: Database, name: str, workflow: str, application: str, version: str) -> None:
        self._database = database
        self._name = name
        self._workflow = workflow
        self._application = application
        self._version = version
        columns = (
            *("workflow_uuid", "name", "status", "executor_id", "owner_xid"),
            *("queue_name", "queue_partition_key", "priority"),
            *("created_at", "updated_at", "started_at_epoch_ms", "recovery_attempts"),
            *("application_name", "application_version"),
        )
        schema = None if database.embedded else "dbos"
        self._works = sa.table("workflow_status", *(sa.column(column) for column in columns), schema=schema)
        self._now_ms: Any = sa.text(
            "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
            if database.embedded
            else "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
        )

    def adopt(self) -> None:
        """Give works that were queued without a bucket, as earlier versions did, an own one; their restarts, which
        were all counted, are forgotten.
        """
        works = self._works
        orphans = works.c.queue_partition_key.is_(None) & works.c.status.in_(_UNFINISHED) & self._ours()
        self._change(sa.update(works).where(orphans).values(queue_partition_key="", recovery_attempts=0))

    def anything(self) -> bool:
        """Whether any work waits."""
        works = self._works
        one = sa.select(sa.literal(1)).where(works.c.status == _QUEUED, self._ours()).limit(1)
        with self._database.reader.connect() as connection:
            return connection.execute(one).first() is not None

    def claim(self, *, worker: str, owner: str, busy: Collection[str], limits: Limits) -> tuple[Claimed, ...]:
        """Take what `worker` may begin now, in order, none of those it is `busy` with; `owner` marks the execution."""
        with self._database.writer.begin() as connection:
            self._hasten(connection)
            if not self._database.embedded:
                connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_TURN})"))
            at_work = self._at_work(connection)
            room = limits.room(here=len(busy), everywhere=sum(at_work.values()))
            if not room:
                return ()
            queued = self._queued(connection, room=room, busy=busy, full=limits.full(at_work))
            chosen = next_works(queued, at_work, room=room, limits=limits)
            return self._take(connection, chosen, worker=worker, owner=owner) if chosen else ()

    def holders(self) -> Mapping[str, str]:
        """The worker by each work that is under way; "" where nobody is named."""
        works = self._works
        holder = sa.func.coalesce(works.c.executor_id, "")
        wanted = sa.select(works.c.workflow_uuid, holder).where(works.c.status == _AT_WORK, self._ours())
        with self._database.reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def unfinished(self) -> Mapping[str, str | None]:
        """The worker by each work that is not done; None where it waits. Nothing where no engine ever was."""
        works = self._works
        holder = sa.case((works.c.status == _AT_WORK, works.c.executor_id), else_=None)
        wanted = sa.select(works.c.workflow_uuid, holder).where(works.c.status.in_(_UNFINISHED), self._ours())
        with self._database.reader.connect() as connection:
            if not sa.inspect(connection).has_table(works.name, schema=works.schema):
                return {}
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def recover(self, worker: str, *, dead: Callable[[sa.Connection, str], bool] = lambda *_: True) -> int:
        """Queue again what a worker is in the middle of, if it is `dead`, which is asked in the same transaction; how
        many works.
        """
        with self._database.writer.begin() as connection:
            self._hasten(connection)
            if not dead(connection, worker):
                return 0
            return self._again(sa.func.coalesce(self._works.c.executor_id, "") == worker, within=connection)

    def recover_these(self, works: Collection[str], *, worker: str) -> int:
        """Queue these works of a worker again."""
        mine = self._works.c.executor_id == worker
        return self._again(mine & self._works.c.workflow_uuid.in_(list(works)))

    def hand_back(self, worker: str, *, only: Collection[str] | None = None) -> int:
        """Queue again what a worker leaves in order: no death is counted."""
        mine = self._works.c.executor_id == worker
        which = mine if only is None else mine & self._works.c.workflow_uuid.in_(list(only))
        return self._again(which, recovery_attempts=0)

    def survived(self, work_id: str) -> None:
        """Forget the deaths of a work that got further than they did."""
        works = self._works
        # One is counted at each beginning, so that the one under way remains.
        self._change(sa.update(works).where(works.c.workflow_uuid == work_id).values(recovery_attempts=1))

    def done(self, before: datetime, *, limit: int) -> tuple[str, ...]:
        """Works that ended before, at most `limit` of them."""
        works = self._works
        ended = sa.select(works.c.workflow_uuid).where(
            works.c.name == self._workflow,
            works.c.status.not_in(_UNFINISHED),
            works.c.updated_at < int(before.timestamp() * 1000),
        )
        with self._database.reader.connect() as connection:
            return tuple(connection.execute(ended.limit(limit)).scalars())

    def _at_work(self, connection: sa.Connection) -> dict[str, int]:
        works = self._works
        bucket = sa.func.coalesce(works.c.queue_partition_key, "")
        counted = sa.select(bucket, sa.func.count()).where(works.c.status == _AT_WORK, self._ours()).group_by(bucket)
        return {row[0]: row[1] for row in connection.execute(counted)}

    def _queued(
        self, connection: sa.Connection, *, room: int, busy: Collection[str], full: Collection[str]
    ) -> tuple[Queued, ...]:
        """The first works of each bucket with room, not more of one than could begin."""
        works = self._works
        bucket = sa.func.coalesce(works.c.queue_partition_key, "")
        order = (works.c.priority, works.c.created_at, works.c.workflow_uuid)
        placed = (
            sa.select(
                works.c.workflow_uuid.label("id"),
                bucket.label("bucket"),
                works.c.priority.label("priority"),
                sa.func.row_number().over(partition_by=bucket, order_by=order).label("place"),
                works.c.created_at.label("queued_at_ms"),
            )
            .where(works.c.status == _QUEUED, self._ours())
            .where(bucket.not_in(list(full)), works.c.workflow_uuid.not_in(list(busy)))
            .subquery()
        )
        return tuple(Queued(*row) for row in connection.execute(sa.select(placed).where(placed.c.place <= room)))

    def _take(
        self, connection: sa.Connection, chosen: Sequence[str], *, worker: str, owner: str
    ) -> tuple[Claimed, ...]:
        works = self._works
        taken = (
            sa.update(works)
            .where(works.c.workflow_uuid.in_(chosen), works.c.status == _QUEUED)
            .values(
                status=_AT_WORK,
                executor_id=worker,
                owner_xid=owner,
                application_name=self._application,
                application_version=self._version,
                started_at_epoch_ms=self._now_ms,
                updated_at=self._now_ms,
                recovery_attempts=works.c.recovery_attempts + 1,
            )
            .returning(works.c.workflow_uuid, works.c.recovery_attempts)
        )
        attempts = {row[0]: row[1] for row in connection.execute(taken)}
        return tuple(Claimed(id=work, deaths=attempts[work] - 1) for work in chosen if work in attempts)

    def _hasten(self, connection: sa.Connection) -> None:
        """End the transaction when this process freezes in its middle: it holds locks that others wait for."""
        if not self._database.embedded:
            connection.execute(sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{_LONGEST_TURN_S}s'"))

    def _again(self, which: sa.ColumnElement[bool], *, within: sa.Connection | None = None, **more: Any) -> int:
        queued = {"status": _QUEUED, "owner_xid": None, "started_at_epoch_ms": None, "updated_at": self._now_ms}
        works = self._works
        again = sa.update(works).where(which, works.c.status == _AT_WORK, self._ours()).values(**queued, **more)
        return self._change(again) if within is None else within.execute(again).rowcount

    def _ours(self) -> sa.ColumnElement[bool]:
        return self._works.c.queue_name == self._name

    def _change(self, statement: sa.Update) -> int:
        with self._database.writer.begin() as connection:
            return connection.execute(statement).rowcount
