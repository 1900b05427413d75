"""Claims on runs, workers, what travels between them, and the tracker's own time and priority of tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _widen_conversations()
    _widen_runs()
    _create_tables()
    _create_indices()


def _widen_conversations() -> None:
    op.add_column("conversations", sa.Column("priority", sa.Integer(), nullable=False, server_default="3"))
    op.add_column("conversations", sa.Column("ticket_updated_at", sa.DateTime(timezone=True), nullable=True))


def _widen_runs() -> None:
    op.add_column("runs", sa.Column("text_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("fence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("worker", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("worked_s", sa.Float(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE runs SET queued_at = created_at")


def _create_tables() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_work", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("ticket", sa.Text(), sa.ForeignKey("conversations.ticket"), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("bundle", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("ticket", "repository"),
    )
    op.create_table(
        "transcript_entries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("subpath", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.UniqueConstraint("session_id", "subpath", "uuid"),
    )
    op.create_index("transcript_entries_by_session", "transcript_entries", ["session_id", "number"])


def _create_indices() -> None:
    op.create_index("conversations_by_session", "conversations", ["session_id"])
    op.create_index("runs_by_trigger", "runs", ["trigger", "number"])
    op.create_index("deliveries_by_time", "deliveries", ["at"])
