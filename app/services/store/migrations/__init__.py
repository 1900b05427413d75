"""The schema's history, by Alembic: one file a step in `versions`. Brought up to date at every start."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.database import Database

_LOCK = 4_202_611
"""Two services that start at once on one Postgres must not both migrate."""


def upgrade(database: Database, *, to: str = "head") -> None:
    """Bring the product's tables to the newest step, or to an older one; nothing happens when they are there."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    with database.writer.begin() as connection:
        if not database.embedded:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, to)
