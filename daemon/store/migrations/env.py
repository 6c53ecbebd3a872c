"""How alembic runs our revisions: on a connection that `upgrading` has opened, or as a script."""

from alembic import context
from sqlalchemy import Connection, create_engine

from daemon.store.migrations.state import VERSION_TABLE, schema_of
from daemon.store.tables import metadata


def _on(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        version_table_schema=schema_of(connection.dialect.name),
    )
    with context.begin_transaction():
        context.run_migrations()


def _as_script() -> None:
    dialect = str(context.config.attributes["dialect"])
    context.configure(
        dialect_name=dialect,
        # Percent signs stay single then.
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        transactional_ddl=True,
        version_table=VERSION_TABLE,
        version_table_schema=schema_of(dialect),
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _as_script()
elif "connection" in context.config.attributes:
    _on(context.config.attributes["connection"])
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").begin() as opened:
        _on(opened)
