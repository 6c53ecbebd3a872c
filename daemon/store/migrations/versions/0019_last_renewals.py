"""When the lease of an attempt that its replica left behind was last renewed."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the column, on PostgreSQL or SQLite."""
    op.add_column("job_run", sa.Column("renewed_at", INSTANT), schema=schema_name(op.get_context()))


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
