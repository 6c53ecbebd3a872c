"""The trigger over SQLAlchemy's connections and sessions, sync and async."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Executable

from lease.database.backend import backend_of
from lease.fences.drivers import question_of

from ..request import Request, Requested, Rows
from .carriage import Passage, carried, schema_in

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

# Strings where the classes would load SQLAlchemy's ORM.


def over_connection(connection: Connection, wanted: Request, schema: str | None) -> Requested:
    backend = backend_of(connection)
    driver = connection.connection.driver_connection
    in_transaction = question_of(driver)
    where = schema_in(backend, schema)
    options: Any = {} if where is None else {"execution_options": {"schema_translate_map": {None: where}}}

    def send(statement: Executable) -> Rows:
        done = connection.execute(statement, **options)
        return done.all() if done.returns_rows else ()

    file = None
    if backend.is_embedded:
        (_, _, file), *_ = connection.exec_driver_sql("PRAGMA database_list")
    passage = Passage(wanted, backend, lambda: in_transaction(driver), connection.engine.url)
    return carried(passage, send, file=file, in_loop=connection.dialect.is_async)


def over_session(session: "Session", wanted: Request, schema: str | None) -> Requested:
    return over_connection(session.connection(), wanted, schema)


def over_scoped_session(sessions: "scoped_session[Session]", wanted: Request, schema: str | None) -> Requested:
    return over_session(sessions(), wanted, schema)


async def over_async_connection(connection: "AsyncConnection", wanted: Request, schema: str | None) -> Requested:
    return await connection.run_sync(over_connection, wanted, schema)


async def over_async_session(session: "AsyncSession", wanted: Request, schema: str | None) -> Requested:
    return await session.run_sync(over_session, wanted, schema)


async def over_async_scoped_session(
    sessions: "async_scoped_session[AsyncSession]", wanted: Request, schema: str | None
) -> Requested:
    return await over_async_session(sessions(), wanted, schema)
