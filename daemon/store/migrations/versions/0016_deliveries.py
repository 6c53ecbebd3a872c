"""The outbox of messages and pings. An older version writes none, and does not look at it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ENDS = ("delivered", "folded", "given up", "gone")


def upgrade() -> None:
    """Add the table, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    op.create_table(
        "delivery",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("application", NAME, nullable=False),
        sa.Column("schedule", NAME, nullable=False),
        sa.Column("run_id", ID),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("available_at", INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("folded", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("done_at", INSTANT),
        sa.Column("outcome", sa.Text),
        sa.CheckConstraint(f"outcome IN ({', '.join(map(repr, ENDS))})", name="delivery_outcome"),
        sa.CheckConstraint("(done_at IS NULL) = (outcome IS NULL)", name="delivery_done"),
        schema=schema,
    )
    _index("delivery_waiting_idx", ["application", "target", "id"], "done_at IS NULL", schema)
    _index("delivery_done_idx", ["application", "done_at"], "done_at IS NOT NULL", schema)
    _index("delivery_lost_idx", ["application", "target"], "outcome IN ('gone', 'given up')", schema)


def _index(name: str, columns: list[str], where: str, schema: str | None) -> None:
    condition = sa.text(where)
    op.create_index(name, "delivery", columns, schema=schema, postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
