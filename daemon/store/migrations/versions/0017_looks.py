"""Who asks what a run at work does, and what its replica has seen."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("run", sa.Column("look_asked_at", INSTANT), schema=schema)
    op.add_column("run", sa.Column("look_asked_by", sa.Text), schema=schema)
    op.add_column("run", sa.Column("look", sa.Text), schema=schema)
    op.add_column("run", sa.Column("looked_at", INSTANT), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
