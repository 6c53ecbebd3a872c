"""The columns of the lease table for the queue of its waiters, and for who broke it last."""

from alembic import context, op

from daemon.store.migrations.state import schema_name
from lease import schema as lease_schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, on PostgreSQL or SQLite."""
    schema = schema_name(op.get_context())
    if context.is_offline_mode():
        for name in lease_schema.ADDED:
            op.execute(lease_schema.addition(op.get_context().dialect, schema, name))
        if schema is not None:  # the function is another one now, too
            op.execute(lease_schema.functions(schema).rstrip().removesuffix(";"))
    else:
        lease_schema.create_tables(op.get_bind(), schema)


def downgrade() -> None:
    raise NotImplementedError("downgrading is not supported; restore a backup")
