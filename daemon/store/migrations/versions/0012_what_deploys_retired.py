"""What deploys retired: by which generation a schedule was, and which generations kept nothing of the one
before, until somebody acknowledges that; revisions that a take-over does not count any more; and the acts of
these.

An older version beside this one leaves the columns empty.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")
ACTS = (
    *("trigger", "pause", "resume", "cancel", "retry", "backfill", "forget"),
    *("deploy", "take-over", "acknowledge", "retire"),
)


def upgrade() -> None:
    """Add the columns, and the acts to those that are allowed, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("schedule", sa.Column("retired_by", sa.Text), schema=schema)
    for column in (
        sa.Column("replaced", sa.BigInteger),
        sa.Column("acknowledged_at", INSTANT),
        sa.Column("acknowledged_by", sa.Text),
        sa.Column("discounted_at", INSTANT),
    ):
        op.add_column("generation", column, schema=schema)
    allowed = f"act IN ({', '.join(map(repr, ACTS))})"
    if schema is None:
        _allow_on_sqlite(allowed)
    else:
        op.drop_constraint("act_act", "act", schema=schema)
        op.create_check_constraint("act_act", "act", sa.text(allowed), schema=schema)


def _allow_on_sqlite(allowed: str) -> None:
    """Make the table anew: SQLite changes no constraint."""
    op.rename_table("act", "act_before")
    op.create_table(
        "act",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("acted_at", INSTANT, nullable=False),
        sa.Column("acted_by", sa.Text, nullable=False),
        sa.Column("act", sa.Text, nullable=False),
        sa.Column("application", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text),
        sa.Column("run_id", sa.Integer),
        sa.Column("why", sa.Text),
        sa.Column("until", INSTANT),
        sa.Column("effect", sa.Text),
        sa.CheckConstraint(allowed, name="act_act"),
    )
    op.execute("INSERT INTO act SELECT * FROM act_before")
    op.drop_table("act_before")
    op.create_index("act_recent_idx", "act", ["acted_at"])
    op.create_index("act_schedule_idx", "act", ["application", "schedule", "acted_at"])


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
