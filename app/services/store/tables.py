"""The product's tables."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.domain.run_state import ACTIVE

metadata = sa.MetaData()


class UtcDateTime(sa.TypeDecorator[datetime]):
    """Aware UTC datetimes, also where the database keeps no zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Bring to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Say that it is UTC."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("ticket", sa.Text, primary_key=True),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("url", sa.Text),
    sa.Column("priority", sa.Integer, nullable=False, server_default="3"),
    # The tracker's own time of the text, by which the newer of two texts is known.
    sa.Column("ticket_updated_at", UtcDateTime),
    sa.Column("session_id", sa.Text),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("last_seq", sa.Integer, nullable=False, server_default="0"),
    sa.Index("conversations_by_time", "updated_at"),
    sa.Index("conversations_by_session", "session_id"),
)

runs = sa.Table(
    "runs",
    metadata,
    # Counts up in the order of creation, so that it is the cursor of lists.
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("request", sa.JSON),
    # Each answer of people begins another leg; `answering` is the question that the leg goes on from.
    sa.Column("leg", sa.Integer, nullable=False, server_default="1"),
    sa.Column("answering", sa.Text),
    # The tracker's time of the text that the run began with.
    sa.Column("text_at", UtcDateTime),
    # Each execution of its work takes the run: it adds one, and who has a smaller number has lost the run.
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("worker", sa.Text),
    sa.Column("worked_s", sa.Float, nullable=False, server_default="0"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    # When its newest leg was.
    sa.Column("queued_at", UtcDateTime),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("stages", sa.JSON, nullable=False),
    sa.Column("pull_requests", sa.JSON, nullable=False),
    sa.Column("cost_usd", sa.Float, nullable=False, default=0.0),
    sa.Column("tokens", sa.JSON, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("error", sa.Text),
    sa.Index("runs_by_ticket", "ticket", "number"),
    sa.Index("runs_by_status", "status", "number"),
    sa.Index("runs_by_trigger", "trigger", "number"),
)

_active = runs.c.status.in_(sorted(ACTIVE))
# The claim itself: the database, not the code, refuses a second active run of a ticket.
sa.Index("one_active_run_a_ticket", runs.c.ticket, unique=True, sqlite_where=_active, postgresql_where=_active)

events = sa.Table(
    "events",
    metadata,
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id")),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("once", sa.Text),
    sa.UniqueConstraint("run_id", "once"),
    sa.Index("events_by_run", "run_id", "seq"),
)

turns = sa.Table(
    "turns",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, nullable=False, index=True),
    sa.Column("session_cost_usd", sa.Float, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index("deliveries_by_time", "at"),
)

messages = sa.Table(
    "messages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), nullable=False),
    # Smaller comes first; "send now" puts a message before all others.
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Index("messages_by_place", "ticket", "status", "position"),
)

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("question", sa.JSON, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    sa.Column("answer", sa.JSON),
    sa.Column("answered_at", UtcDateTime),
)

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), primary_key=True),
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("change", sa.JSON, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("model", sa.Text),
)

spendings = sa.Table(
    "spendings",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # Not a reference: what was spent is counted also where nothing is known of the ticket, e.g. for a check.
    sa.Column("ticket", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    # An estimate until it is settled; it stays where the service ended before.
    sa.Column("cost_usd", sa.Float, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.Column("measured", sa.JSON, nullable=False),
    sa.Index("spendings_by_ticket", "ticket"),
    sa.Index("spendings_by_day", "day"),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at_work", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
)

checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("ticket", sa.Text, sa.ForeignKey("conversations.ticket"), primary_key=True),
    sa.Column("repository", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("bundle", sa.LargeBinary),
)

transcript_entries = sa.Table(
    "transcript_entries",
    metadata,
    # Counts up in the order in which entries come, over all sessions.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("subpath", sa.Text, nullable=False),
    sa.Column("uuid", sa.Text),
    sa.Column("at", UtcDateTime, nullable=False),
    # Text, because Postgres would look into JSON, and an entry may have hundreds of kilobytes.
    sa.Column("entry", sa.Text, nullable=False),
    sa.UniqueConstraint("session_id", "subpath", "uuid"),
    sa.Index("transcript_entries_by_session", "session_id", "number"),
)
