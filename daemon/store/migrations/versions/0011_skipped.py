"""An index by which people are told what was missed lately, or skipped."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    skipped = sa.text("state = 'skipped'")
    op.create_index(
        "run_skipped_idx",
        "run",
        ["application", "schedule", "reason", "finished_at"],
        schema=schema,
        postgresql_where=skipped,
        sqlite_where=skipped,
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
