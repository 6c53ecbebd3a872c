"""The span of the request for a run, to which the span of the run links."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, on PostgreSQL or SQLite."""
    op.add_column("run", sa.Column("traceparent", sa.Text), schema=schema_name(op.get_context()))


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
