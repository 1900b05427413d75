"""What was done to the files of a repository and is nowhere else, inside a transaction. Synchronous."""

import sqlalchemy as sa

from app.results import Checkpoint
from app.services.store import rows
from app.services.store.tables import checkpoints


def keep(connection: sa.Connection, ticket: str, checkpoint: Checkpoint) -> None:
    """Keep it in place of the one of the same repository."""
    values = checkpoint.model_dump() | {"ticket": ticket, "at": rows.now()}
    known = sa.update(checkpoints).where(*_of(ticket, checkpoint.repository)).values(**values)
    if connection.execute(known).rowcount == 0:
        connection.execute(sa.insert(checkpoints).values(**values))


def newest(connection: sa.Connection, ticket: str, repository: str) -> Checkpoint | None:
    """The one that there is."""
    row = connection.execute(sa.select(checkpoints).where(*_of(ticket, repository))).mappings().first()
    return None if row is None else Checkpoint.model_validate(dict(row))


def _of(ticket: str, repository: str) -> tuple[sa.ColumnElement[bool], ...]:
    return checkpoints.c.ticket == ticket, checkpoints.c.repository == repository
