"""${message}."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "${up_revision}"
down_revision = "${down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """On PostgreSQL, in the schema that its URL names, or SQLite; then count the revision in `REVISIONS` in `state.py`."""
    schema = schema_name(op.get_context())
    op.add_column("run", sa.Column("…", sa.Text), schema=schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
