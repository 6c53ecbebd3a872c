"""How many runs a replica runs at a time."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, on PostgreSQL or SQLite."""
    op.add_column("replica", sa.Column("concurrency", sa.BigInteger), schema=schema_name(op.get_context()))


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
