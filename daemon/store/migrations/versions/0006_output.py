"""What jobs print, kept while they run; and how much memory an attempt had."""

import sqlalchemy as sa
from alembic import op

from daemon.store.migrations.state import schema_name

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table and the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    for name in ("tail_start", "tail_line", "peak_memory"):
        op.add_column("job_run", sa.Column(name, sa.BigInteger), schema=schema)
    job_run = "job_run.id" if schema is None else f"{schema}.job_run.id"
    op.create_table(
        "job_output",
        sa.Column("job_run_id", ID, sa.ForeignKey(job_run, name="job_output_job_run_fkey"), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job_run_id", "start", name="job_output_pkey"),
        schema=schema,
    )


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
