"""What a generation changed of each schedule, and when a job last reported progress or printed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("generation", sa.Column("diff", sa.Text), schema=schema)
    op.add_column("job_run", sa.Column("progress_at", INSTANT), schema=schema)
    op.add_column("job_output", sa.Column("saved_at", INSTANT), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
