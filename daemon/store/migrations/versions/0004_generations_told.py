"""What a generation tells of itself: the revision that was given with it, and when it gave way."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("generation", sa.Column("revision", sa.BigInteger), schema=schema)
    op.add_column("generation", sa.Column("superseded_at", INSTANT), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
