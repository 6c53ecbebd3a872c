"""Alembic's environment: our revisions on a connection opened by `upgrade`, or as a script."""

from typing import Any

from alembic import context
from sqlalchemy import Connection, make_url

from daemon.store.migrations.state import CONNECTION, VERSION_TABLE
from daemon.store.tables import metadata
from lease.database.backend import schema_of
from lease.database.connections import connected


def _run(schema: str | None, **options: Any) -> None:
    context.configure(version_table=VERSION_TABLE, version_table_schema=schema, **options)
    with context.begin_transaction():
        context.run_migrations()


def _on(connection: Connection) -> None:
    _run(schema_of(connection), connection=connection, target_metadata=metadata)


attributes = context.config.attributes
if context.is_offline_mode():
    _run(
        attributes["schema"],
        dialect_name=attributes["backend"].name,
        dialect_opts={"paramstyle": "named"},  # with this, percent signs stay single
        literal_binds=True,
        transactional_ddl=True,
    )
elif "connection" in attributes:
    _on(attributes["connection"])
else:  # run by the command alembic, with the URL from alembic.ini
    with connected(make_url(context.config.get_main_option("sqlalchemy.url") or ""), CONNECTION) as opened:
        _on(opened)
