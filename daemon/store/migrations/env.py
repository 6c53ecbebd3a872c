"""Alembic's environment: our revisions on a connection opened by `upgrading`, or as a script."""

from alembic import context
from sqlalchemy import Connection, make_url

from daemon.store.migrations.opening import CONNECTION
from daemon.store.migrations.state import VERSION_TABLE
from daemon.store.tables import metadata
from lease.database.backend import Backend, schema_of
from lease.database.connections import connected


def _on(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        version_table_schema=schema_of(connection),
    )
    with context.begin_transaction():
        context.run_migrations()


def _as_script(backend: Backend, schema: str | None) -> None:
    context.configure(
        dialect_name=backend.name,
        # With this, percent signs stay single.
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        transactional_ddl=True,
        version_table=VERSION_TABLE,
        version_table_schema=schema,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _as_script(context.config.attributes["backend"], context.config.attributes["schema"])
elif "connection" in context.config.attributes:
    _on(context.config.attributes["connection"])
else:  # run by the command alembic, with the URL from alembic.ini
    with connected(make_url(context.config.get_main_option("sqlalchemy.url") or ""), CONNECTION) as opened:
        _on(opened)
