"""What blocks the async jobs of a replica, for people; and how often runs of a schedule took a replica with
them, which keeps the next ones away from their like.
"""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("replica", sa.Column("blocked", sa.Text), schema=schema)
    op.add_column("schedule", sa.Column("abandoned", sa.Integer, nullable=False, server_default="0"), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
