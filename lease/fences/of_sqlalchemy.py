"""The fence over SQLAlchemy's connections and sessions, sync and async."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .. import statements
from ..database.backend import backend_of
from ..errors import LeaseError
from .proof import Proof

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

# Strings where the classes would load SQLAlchemy's ORM.


def fence_connection(connection: Connection, proof: Proof) -> None:
    there = connection.engine.url
    with proof.given(there, connection.connection.driver_connection):
        if connection.in_nested_transaction():
            raise LeaseError(statements.IN_SAVEPOINT)
        file = None
        if backend_of(connection).is_embedded:
            (_, _, file), *_ = connection.exec_driver_sql("PRAGMA database_list")  # main; then those attached, and temp
            proof.refuse_other_file(there, file)
        with proof.turn(file, in_loop=connection.dialect.is_async):
            try:
                statements.fence(connection, proof.grant, proof.bound, proof.schema, proof.identity)
            except DBAPIError as error:
                if getattr(error.orig, "sqlite_errorname", "") != "SQLITE_BUSY_SNAPSHOT":
                    raise
                raise LeaseError(
                    "this transaction read before it was fenced, and another one has written since: start it again, and fence first"
                ) from error


def fence_session(session: "Session", proof: Proof) -> None:
    fence_connection(session.connection(), proof)


def fence_scoped_session(sessions: "scoped_session[Session]", proof: Proof) -> None:
    fence_session(sessions(), proof)


async def fence_async_connection(connection: "AsyncConnection", proof: Proof) -> None:
    await connection.run_sync(fence_connection, proof)


async def fence_async_session(session: "AsyncSession", proof: Proof) -> None:
    await session.run_sync(fence_session, proof)


async def fence_async_scoped_session(sessions: "async_scoped_session[AsyncSession]", proof: Proof) -> None:
    await fence_async_session(sessions(), proof)
