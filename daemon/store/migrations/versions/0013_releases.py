"""Which code a replica runs, and under which revision; and which code made an attempt."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("replica", sa.Column("revision", sa.BigInteger), schema=schema)
    op.add_column("replica", sa.Column("release", sa.Text), schema=schema)
    op.add_column("replica", sa.Column("requires_revision", sa.Boolean), schema=schema)
    op.add_column("job_run", sa.Column("release", sa.Text), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
