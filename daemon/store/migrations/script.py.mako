"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """On PostgreSQL and on SQLite; then append the revision to `daemon.store.migrations.state.REVISIONS`."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("there is no way back; restore a backup")
