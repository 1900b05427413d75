"""The transcripts of Claude's sessions, an entry a row, inside a transaction. Synchronous."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.domain.run_state import ACTIVE
from app.services.store import rows
from app.services.store.tables import conversations, runs, transcript_entries

Entries = Mapping[str, tuple[Mapping[str, Any], ...]]
"""By the parts of a session."""

# To insert or do nothing is no standard SQL, so that each dialect has its own.
_ADDING = {
    "postgresql": postgresql.insert(transcript_entries).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(transcript_entries).on_conflict_do_nothing(),
}


def rows_of(session_id: str, subpath: str, entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries as they are written down, JSON with all but ASCII escaped."""
    place = {"session_id": session_id, "subpath": subpath}
    return [{**place, "uuid": _uuid(each), "entry": json.dumps(each)} for each in entries]


def keep(connection: sa.Connection, made: Sequence[Mapping[str, Any]]) -> None:
    """Add rows of `rows_of`, but for those that are there."""
    if made:
        connection.execute(_ADDING[connection.dialect.name], [{**row, "at": rows.now()} for row in made])


def read(connection: sa.Connection, session_id: str) -> Entries:
    """All of a session."""
    query = sa.select(transcript_entries.c.subpath, transcript_entries.c.entry)
    query = query.where(transcript_entries.c.session_id == session_id).order_by(transcript_entries.c.number)
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for subpath, entry in connection.execute(query):
        found[subpath].append(json.loads(entry))
    return {subpath: tuple(entries) for subpath, entries in found.items()}


def run_at_work(connection: sa.Connection, session_id: str) -> str | None:
    """The active run whose author's session it is."""
    joined = sa.join(conversations, runs, runs.c.ticket == conversations.c.ticket)
    query = sa.select(runs.c.id).select_from(joined).where(conversations.c.session_id == session_id)
    return connection.execute(query.where(runs.c.status.in_(sorted(ACTIVE)))).scalar()


def _uuid(entry: Mapping[str, Any]) -> str | None:
    uuid = entry.get("uuid")
    return uuid if isinstance(uuid, str) else None
