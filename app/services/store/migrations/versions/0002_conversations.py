"""One numbering of events a conversation; messages, questions, changes, people."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_conversations()
    _widen_runs()
    _number_events_by_conversation()
    _create_tables()


def _widen_conversations() -> None:
    op.add_column("conversations", sa.Column("last_seq", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("conversations_by_time", "conversations", ["updated_at"])


def _widen_runs() -> None:
    op.add_column("runs", sa.Column("request", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("leg", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("runs", sa.Column("answering", sa.Text(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute("UPDATE runs SET request = json_build_object('mode', mode)")
    else:
        op.execute("UPDATE runs SET request = json_object('mode', mode)")
    op.drop_column("runs", "last_seq")


def _number_events_by_conversation() -> None:
    op.rename_table("events", "events_by_run_only")
    if op.get_bind().dialect.name == "postgresql":  # names of constraints are shared by all tables there
        op.execute("ALTER TABLE events_by_run_only RENAME CONSTRAINT events_pkey TO events_by_run_only_pkey")
        op.drop_constraint("events_run_id_once_key", "events_by_run_only", type_="unique")
    op.create_table(
        "events",
        sa.Column("ticket", sa.Text(), sa.ForeignKey("conversations.ticket"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Text(), sa.ForeignKey("runs.id"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("once", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ticket", "seq"),
        sa.UniqueConstraint("run_id", "once"),
    )
    op.create_index("events_by_run", "events", ["run_id", "seq"])
    op.execute(
        "INSERT INTO events (ticket, seq, run_id, kind, at, payload, once) "
        "SELECT runs.ticket, ROW_NUMBER() OVER (PARTITION BY runs.ticket ORDER BY runs.number, old.seq), "
        "old.run_id, old.kind, old.at, old.payload, old.once "
        "FROM events_by_run_only AS old JOIN runs ON runs.id = old.run_id"
    )
    op.execute(
        "UPDATE conversations SET last_seq = "
        "COALESCE((SELECT MAX(seq) FROM events WHERE events.ticket = conversations.ticket), 0)"
    )
    op.drop_table("events_by_run_only")


def _create_tables() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("ticket", sa.Text(), sa.ForeignKey("conversations.ticket"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
    )
    op.create_index("messages_by_place", "messages", ["ticket", "status", "position"])
    op.create_table(
        "questions",
        sa.Column("ticket", sa.Text(), sa.ForeignKey("conversations.ticket"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("ticket", "id"),
    )
    op.create_table(
        "changes",
        sa.Column("ticket", sa.Text(), sa.ForeignKey("conversations.ticket"), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ticket", "repository"),
    )
    op.create_table(
        "people",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=True),
    )
