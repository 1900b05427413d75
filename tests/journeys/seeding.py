"""Fills a service's database with conversations: through the store itself, in one transaction.

A story is told in the order in which it happened, by a clock that is turned by hand. What the store wrote down as of
now is then dated back to the story's time, so that pages show minutes and days. Nothing is put into the engine's queue:
nobody works on a seeded run, and a service that is started on one calls it failed. So seed what is under way while the
service runs.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from app.database import Database, sqlite_url
from app.models import Stage
from app.services.store import migrations, tables
from app.services.store.sql import SqlStore
from app.services.store.transactions import Body

T = TypeVar("T")


class Past(SqlStore):
    """The store inside of one open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__()
        self._connection = connection
        self._marks: list[tuple[datetime, datetime]] = []

    def turn_to(self, at: datetime) -> None:
        """Date what is written from now on at this time."""
        self._marks.append((datetime.now(UTC), at))

    def dated(self, written: datetime) -> datetime:
        """When something happened that was written then; what was there before the first story stays."""
        place = bisect_right(self._marks, written, key=lambda mark: mark[0])
        return self._marks[place - 1][1] if place else written

    async def start(self) -> None:
        """The transaction is open."""

    async def stop(self) -> None:
        """Who opened the transaction ends it."""

    @property
    def shared(self) -> bool:
        return False

    async def _transact(self, body: Body[T], *, writes: bool) -> T:
        return body(self._connection)


@contextmanager
def seeding(workspace: Path) -> Iterator[Past]:
    """The past of the service whose WORKSPACE_DIR this is, whether it runs or not; written at the end of the block."""
    workspace.mkdir(parents=True, exist_ok=True)
    database = Database(url=sqlite_url(workspace / "auto-code.db"))
    try:
        migrations.upgrade(database)
        with database.writer.begin() as connection:
            past = Past(connection)
            yield past
            _date_back(connection, past.dated)
    finally:
        database.close()


def _date_back(connection: sa.Connection, dated: Callable[[datetime], datetime]) -> None:
    for table in tables.metadata.sorted_tables:
        times = [column.name for column in table.columns if isinstance(column.type, tables.UtcDateTime)]
        keys = [column.name for column in table.primary_key.columns]
        rows = connection.execute(sa.select(table)).mappings().all() if times else ()
        changed = [
            {f"of_{key}": row[key] for key in keys} | {time: row[time] and dated(row[time]) for time in times}
            for row in rows
        ]
        if changed:
            which = sa.and_(*(table.c[key] == sa.bindparam(f"of_{key}") for key in keys))
            connection.execute(sa.update(table).where(which), changed)
    for run in connection.execute(sa.select(tables.runs.c.number, tables.runs.c.stages)).mappings().all():
        stages = [_stage_dated_back(stage, dated) for stage in run["stages"]]
        mine = tables.runs.c.number == run["number"]
        connection.execute(sa.update(tables.runs).where(mine).values(stages=stages))


def _stage_dated_back(stage: Mapping[str, Any], dated: Callable[[datetime], datetime]) -> dict[str, Any]:
    known = Stage.model_validate(stage)
    ended = known.ended_at and dated(known.ended_at)
    moved = known.model_copy(update={"started_at": dated(known.started_at), "ended_at": ended})
    return moved.model_dump(mode="json")
