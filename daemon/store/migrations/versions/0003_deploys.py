"""The generations of definitions, and the columns by which a run is cancelled."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

from daemon.store.migrations.state import schema_name

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
INSTANT: sa.types.TypeEngine[Any] = sa.Double().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite; a replica of the version before does without them."""
    schema = schema_name(op.get_context())
    op.add_column("schedule", sa.Column("run_digest", sa.Text), schema=schema)
    op.add_column("run", sa.Column("digest", sa.Text), schema=schema)
    op.add_column("run", sa.Column("adopted_from", sa.Text), schema=schema)
    op.add_column("run", sa.Column("cancelled_at", INSTANT), schema=schema)
    op.add_column("run", sa.Column("cancelled_by", sa.Text), schema=schema)
    op.add_column("run", sa.Column("cancelled_why", sa.Text), schema=schema)
    op.add_column("replica", sa.Column("digest", sa.Text), schema=schema)
    op.add_column("replica", sa.Column("ready_at", INSTANT), schema=schema)
    _generation(schema)


def _generation(schema: str | None) -> None:
    op.create_table(
        "generation",
        sa.Column("application", NAME, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("brought_by", sa.Text, nullable=False),
        sa.Column("came_at", INSTANT, nullable=False),
        sa.Column("ruled_at", INSTANT),
        sa.Column("rules", sa.Boolean, nullable=False),
        sa.Column("in_lieu", sa.Boolean, nullable=False),
        sa.Column("changes", sa.Text),
        sa.Column("run_digests", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("application", "number", name="generation_pkey"),
        sa.CheckConstraint("NOT rules OR ruled_at IS NOT NULL", name="generation_rules"),
        sa.CheckConstraint("rules OR NOT in_lieu", name="generation_in_lieu"),
        schema=schema,
    )
    op.create_index(
        "generation_ruler_key",
        "generation",
        ["application"],
        unique=True,
        postgresql_where=sa.text("rules"),
        sqlite_where=sa.text("rules"),
        schema=schema,
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
