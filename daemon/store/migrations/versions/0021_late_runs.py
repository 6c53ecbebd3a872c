"""An index by which people are told what succeeded too late. It has only such runs, so other ends of runs cost nothing."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it, on PostgreSQL or SQLite."""
    late = sa.text("state = 'succeeded' AND finish_by < finished_at")
    op.create_index(
        "run_late_idx",
        "run",
        ["application", "schedule", "finished_at"],
        schema=schema_name(op.get_context()),
        postgresql_where=late,
        sqlite_where=late,
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
