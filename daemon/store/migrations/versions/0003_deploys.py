"""The columns by which a run keeps to its definition, and by which it is cancelled."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite; a replica of the version before does without them."""
    schema = schema_name(op.get_context().dialect.name)
    op.add_column("schedule", sa.Column("run_digest", sa.Text), schema=schema)
    op.add_column("run", sa.Column("digest", sa.Text), schema=schema)
    op.add_column("run", sa.Column("cancelled_at", INSTANT), schema=schema)
    op.add_column("run", sa.Column("cancelled_by", sa.Text), schema=schema)
    op.add_column("run", sa.Column("cancelled_why", sa.Text), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
