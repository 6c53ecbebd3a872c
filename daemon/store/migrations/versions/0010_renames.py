"""What a schedule is called, beside the name of its row, which stays that under which it was first defined.

A replica of an older version goes on by the name of the row: it claims, plans and ends runs under the
same leases and keys, whatever the schedule is called meanwhile.
"""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and their index, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.add_column("schedule", sa.Column("called", sa.Text), schema=schema)
    op.add_column("schedule", sa.Column("former", sa.Text), schema=schema)
    renamed = sa.text("called IS NOT NULL")
    op.create_index(
        "schedule_called_key",
        "schedule",
        ["application", "called"],
        schema=schema,
        unique=True,
        postgresql_where=renamed,
        sqlite_where=renamed,
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
