"""Up to which level it was told that a run takes long. What an older version runs is not told."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, on PostgreSQL or SQLite."""
    op.add_column("run", sa.Column("told_long", sa.Integer), schema=schema_name(op.get_context()))


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
