"""What the model cost, a row a request."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spendings",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=False),
    )
    op.create_index("spendings_by_ticket", "spendings", ["ticket"])
    op.create_index("spendings_by_day", "spendings", ["day"])
