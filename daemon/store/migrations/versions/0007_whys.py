"""Why a run did not run, and why an attempt lost its lease, as the moment knew it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0007"
down_revision = "0006"
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
    if schema is None:
        _put_unfinished_first()


def _put_unfinished_first() -> None:
    """Make the index of the runs that are not over anew: of two that cost the same by its reckoning, which goes by
    how wide a row is, SQLite takes the newer one, and the other one holds every run ever made.
    """
    op.drop_index("run_unfinished_idx")
    columns = ["application", "schedule", "scheduled_for", "id"]
    op.create_index("run_unfinished_idx", "run", columns, sqlite_where=sa.text("state IN ('pending', 'running')"))


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
