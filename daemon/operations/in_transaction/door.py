"""The public trigger in a caller's transaction: it acts by the kind of connection."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from lease.database.address import checked_schema
from lease.durations import Duration
from lease.errors import LeaseError
from lease.fences.drivers import names_of

from ..request import Request, Requested, request
from ..requester import requester
from .of_django import over_django
from .of_drivers import over_async_psycopg, over_asyncpg, over_psycopg, over_psycopg2, over_sqlite3
from .of_sqlalchemy import (
    over_async_connection,
    over_async_scoped_session,
    over_async_session,
    over_connection,
    over_scoped_session,
    over_session,
)

_SYNC: dict[str, Callable[[Any, Request, str | None], Requested]] = {
    "sqlalchemy.engine.base.Connection": over_connection,
    "sqlalchemy.orm.session.Session": over_session,
    "sqlalchemy.orm.scoping.scoped_session": over_scoped_session,
    "psycopg.Connection": over_psycopg,
    "psycopg2.extensions.connection": over_psycopg2,
    "sqlite3.Connection": over_sqlite3,
    "django.utils.connection.ConnectionProxy": over_django,
    "django.db.backends.base.base.BaseDatabaseWrapper": over_django,
}
_ASYNC: dict[str, Callable[[Any, Request, str | None], Awaitable[Requested]]] = {
    "sqlalchemy.ext.asyncio.engine.AsyncConnection": over_async_connection,
    "sqlalchemy.ext.asyncio.session.AsyncSession": over_async_session,
    "sqlalchemy.ext.asyncio.scoping.async_scoped_session": over_async_scoped_session,
    "psycopg.AsyncConnection": over_async_psycopg,
    "asyncpg.connection.Connection": over_asyncpg,
}


def trigger(
    application: str,
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    connection: Any,
    key: str | None = None,
    at: datetime | Duration | None = None,
    requested_by: str | None = None,
    why: str | None = None,
    schema: str | None = None,
) -> Any:
    """Request a run in the transaction of ``connection``; see `Schedules.trigger`."""
    where = None if schema is None else checked_schema(schema)
    by = requester() if requested_by is None else requested_by
    wanted = request(application, name, requested_by=by, why=why, params=params, key=key, at=at)
    for kind in names_of(connection):
        if found := _SYNC.get(kind) or _ASYNC.get(kind):
            return found(connection, wanted, where)
    raise LeaseError(
        "trigger takes a connection or session of SQLAlchemy, a connection of psycopg, psycopg2, asyncpg or sqlite3, or "
        f"Django's connection, not {names_of(connection)[0].removeprefix('builtins.')}"
    )
