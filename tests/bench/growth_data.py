"""A SQLite database that has grown: one conversation copied inside it many times, and the engine's rows of its runs.

What is copied was written by the service, so that the rows are those that it leaves. Each copy has a key and ids of its
own, and is older than the one before it by some minutes.
"""

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from app.services.store import tables

PROJECT = "GROWN"

_MINUTES = 7
_HASTY = ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000", "foreign_keys=OFF", "temp_store=MEMORY")
_NUMBERS = "WITH RECURSIVE copies(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM copies WHERE i < :last)"
_RUNS = "(SELECT id FROM runs WHERE ticket = :key)"

_OWN = {
    "conversations": ("ticket = :key", {"session_id"}),
    "runs": ("ticket = :key", {"id"}),
    "events": ("ticket = :key", {"run_id"}),
    "messages": ("ticket = :key", {"id", "run_id"}),
    "questions": ("ticket = :key", {"run_id"}),
    "changes": ("ticket = :key", set[str]()),
    "spendings": ("ticket = :key", {"id", "run_id", "session_id"}),
    "turns": (f"run_id IN {_RUNS}", {"run_id", "session_id"}),
    "deliveries": (f"run_id IN {_RUNS}", {"name", "run_id"}),
    "workflow_status": (f"workflow_uuid IN {_RUNS}", {"workflow_uuid"}),
    "operation_outputs": (f"workflow_uuid IN {_RUNS}", {"workflow_uuid"}),
}
"""The tables with a conversation's rows: which they are, and the columns in which each copy has values of its own."""


def multiply(file: Path, key: str, *, first: int, last: int) -> int:
    """Copy the conversation of that key for each number from the first to the last, and return how many events the
    database has then. Nobody else may have it open.
    """
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in _HASTY:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        for table in _OWN:
            connection.execute(_copying(connection, table), {"key": key, "first": first, "last": last})
        (events,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    with file.open("rb") as written:
        os.fsync(written)  # else the first who waits for the disk waits for all of this
    return int(events)


def _copying(connection: sqlite3.Connection, table: str) -> str:
    whose, own = _OWN[table]
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "number"]
    values = ", ".join(_value(table, column, own) for column in columns)
    quoted = ", ".join(f'"{column}"' for column in columns)
    rows = f"(SELECT * FROM {table} WHERE {whose})"  # noqa: S608 - names of this file
    # CROSS JOIN keeps the order: copy after copy, as conversations come after each other.
    return f"INSERT INTO {table} ({quoted}) {_NUMBERS} SELECT {values} FROM copies CROSS JOIN {rows}"  # noqa: S608 - names of the schema


def _value(table: str, column: str, own: set[str]) -> str:
    if column == "ticket":
        return f"'{PROJECT}-' || i"
    if column in own:
        return f"\"{column}\" || '-' || i"
    known = tables.metadata.tables.get(table)
    if known is not None and table != "events" and isinstance(known.c[column].type, tables.UtcDateTime):
        return f"strftime('%Y-%m-%d %H:%M:%f000', \"{column}\", '-' || (i * {_MINUTES}) || ' minutes')"
    if known is not None and isinstance(known.c[column].type, sa.Date):
        return f"date(\"{column}\", '-' || (i * {_MINUTES}) || ' minutes')"
    return f'"{column}"'
