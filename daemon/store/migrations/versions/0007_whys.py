"""Why a run did not run, and why an attempt lost its lease, as the moment knew it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite; an older version leaves them empty."""
    schema = schema_name(op.get_context())
    for column in (sa.Column("overlapped", sa.BigInteger), sa.Column("overlapped_by", sa.Text)):
        op.add_column("run", column, schema=schema)
    op.add_column("run", sa.Column("away_from", INSTANT), schema=schema)
    for column in (sa.Column("lost_by", sa.Text), sa.Column("lost_why", sa.Text)):
        op.add_column("job_run", column, schema=schema)
    op.add_column("job_run", sa.Column("work_ended_at", INSTANT), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
