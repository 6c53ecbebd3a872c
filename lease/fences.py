"""The fence: proves in the caller's own transaction that a grant has not ended, and keeps it from ending until that is over (rule 11)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, overload

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from . import statements
from .database.address import describe
from .database.database import explain, tables_missing
from .database.sqlstate import sqlstate
from .database.turnstile import Turnstile, TurnstileBusy
from .durations import Duration, parse_duration
from .errors import LeaseError, LeaseLost, NeverGranted, StoreUnavailable
from .model import Grant

BOUND = 30.0
"""Seconds that a fenced transaction may take, by default."""
_PATIENCE = 5.0
"""Seconds to wait for SQLite's turnstile."""


SyncKinds = Connection | Session | scoped_session[Session]
AsyncKinds = AsyncConnection | AsyncSession | async_scoped_session[AsyncSession]


@overload
def fence(connection: SyncKinds, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None) -> None: ...


@overload
def fence(
    connection: AsyncKinds, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None
) -> Awaitable[None]: ...


def fence(connection: Any, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None) -> Awaitable[None] | None:
    """Prove that ``grant`` has not ended; until the transaction ends, nobody else can be granted its name.

    Takes SQLAlchemy's Connection and Session, and AsyncConnection and AsyncSession (then await it). Call it first in a transaction,
    before any savepoint; whatever the transaction writes then commits only under this grant's token.

    ``bound`` is how long (seconds, or ``"30s"``) the transaction may take on PostgreSQL, idle or at work, before the server ends it, so that
    a paused process cannot hold off its successor for ever; shorter limits of the transaction's own stay. On SQLite the transaction holds
    the write lock, and must be short: renewals wait for it.

    Raises `LeaseLost` when the grant has ended (roll back then), and `LeaseError` for a connection that is in no transaction, is in a
    savepoint, or leads to another database than the lease's (``home``, where known).
    """
    seconds = parse_duration(bound)
    if seconds <= 0:
        raise LeaseError("the bound of a fence is 0, but its transaction needs some time: set it above 0")
    if isinstance(connection, (scoped_session, async_scoped_session)):
        connection = connection()
    if isinstance(connection, (AsyncConnection, AsyncSession)):
        return _fence_async(connection, grant, seconds, home)
    if isinstance(connection, Session):
        connection = connection.connection()
    if not isinstance(connection, Connection):
        raise LeaseError(
            f"fence takes a Connection, Session, AsyncConnection or AsyncSession of SQLAlchemy, not {type(connection).__name__}"
        )
    with_turnstile(connection, lambda: _prove(connection, grant, seconds, home))
    return None


async def _fence_async(
    connection: AsyncConnection | AsyncSession, grant: Grant, bound: float, home: URL | None
) -> None:
    if isinstance(connection, AsyncSession):
        connection = await connection.connection()
    path = _file_of(connection.sync_connection)
    if path is None:
        await connection.run_sync(_prove, grant, bound, home)
        return
    deadline = time.monotonic() + _PATIENCE
    with Turnstile(path) as entrance:
        while not entrance.pass_now():
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"another process has been about to write to {path} for too long")
            await asyncio.sleep(0.002)
        await connection.run_sync(_prove, grant, bound, home)


def with_turnstile(connection: Connection, work: Callable[[], None]) -> None:
    """Do ``work`` behind SQLite's turnstile; elsewhere just do it."""
    path = _file_of(connection)
    if path is None:
        work()
        return
    with Turnstile(path) as entrance:
        try:
            entrance.pass_within(_PATIENCE)
        except TurnstileBusy as busy:
            raise StoreUnavailable(str(busy)) from None
        work()


def _file_of(connection: Connection | None) -> str | None:
    if connection is None or connection.dialect.name != "sqlite":
        return None
    database = connection.engine.url.database
    return None if not database or database == ":memory:" else database


def _prove(connection: Connection, grant: Grant, bound: float, home: URL | None) -> None:
    if connection.in_nested_transaction():
        raise LeaseError("fence must come before any savepoint: rolling back to one would drop it")
    _refuse_autocommit(connection)
    if home is not None and home.get_backend_name() != connection.dialect.name:
        _refuse_other_database(connection, home)
    try:
        statements.fence(connection, grant, bound)
    except NeverGranted:
        _refuse_other_database(connection, home)
        raise
    except DBAPIError as error:
        if tables_missing(error):
            _refuse_other_database(connection, home)
            raise explain(error, connection.engine.url) from error
        if sqlstate(error) == "40001":  # serialization_failure: the row's key changed since the transaction's snapshot
            raise LeaseLost(f"lease {grant.name!r} is lost: the grant with token {grant.token} has ended") from error
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_BUSY_SNAPSHOT":
            raise LeaseError(
                "this transaction had read before it was fenced, and others have written since: begin anew, and fence first"
            ) from error
        raise
    if connection.dialect.name == "sqlite" and not _driver(connection).in_transaction:
        raise LeaseError(_NO_TRANSACTION)


_NO_TRANSACTION = (
    "fence needs a transaction, and this connection commits each statement by itself (autocommit): use engine.begin()"
)


def _refuse_autocommit(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    driver = _driver(connection)
    idle = 0  # libpq's PQTRANS_IDLE
    if getattr(driver, "autocommit", False) and driver.info.transaction_status == idle:
        raise LeaseError(_NO_TRANSACTION)


def _refuse_other_database(connection: Connection, home: URL | None) -> None:
    there = connection.engine.url
    if home is None or _place(there) == _place(home):
        return
    raise LeaseError(
        f"the lease is in {describe(home)}, but this connection leads to {describe(there)}: "
        "a fence works only where the lease is; a resource elsewhere needs a gate that keeps the highest token"
    )


def _place(url: URL) -> tuple[object, ...]:
    if url.get_backend_name() == "sqlite":
        return ("sqlite", str(Path(url.database or "").resolve()))
    return (url.get_backend_name(), url.host or "localhost", url.port or 5432, url.database or url.username)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
