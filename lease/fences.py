"""The fence: a proof in the caller's own transaction that a grant has not ended, and does not until
the transaction does (rule 11).
"""

from collections.abc import Awaitable
from typing import Any, overload

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

from . import statements
from .database.address import describe, place_of
from .database.backend import backend_of
from .database.driver_errors import explain, sqlstate, tables_missing
from .database.turnstile import Turnstile, TurnstileBusy
from .durations import Duration, parse_duration
from .errors import LeaseError, LeaseLost, NeverGranted, StoreUnavailable
from .model import Grant, ended_sentence

BOUND = 30.0
"""Seconds that a fenced transaction may take, by default."""
_PATIENCE = 5.0
"""Seconds to wait for SQLite's turnstile."""
_IDLE = 0
"""libpq's PQTRANS_IDLE: in no transaction."""

SyncKinds = Connection | Session | scoped_session[Session]
AsyncKinds = AsyncConnection | AsyncSession | async_scoped_session[AsyncSession]


@overload
def fence(connection: SyncKinds, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None) -> None: ...


@overload
def fence(
    connection: AsyncKinds, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None
) -> Awaitable[None]: ...


def fence(connection: Any, grant: Grant, *, bound: Duration = BOUND, home: URL | None = None) -> Awaitable[None] | None:
    """Prove that ``grant`` has not ended; until the transaction ends, nobody else can be granted
    its name.

    Takes SQLAlchemy's Connection and Session, and AsyncConnection and AsyncSession (then await it).
    Call it first in a transaction, before any savepoint: what the transaction writes then commits
    only under this grant's token.

    ``bound`` is how long (seconds, or ``"30s"``) the transaction may take on PostgreSQL, idle or at
    work, before the server ends it, so that a paused process cannot hold off its successor for
    ever; shorter limits of the transaction's own stay. On SQLite the transaction holds the write
    lock, and must be short: renewals wait for it.

    Raises `LeaseLost` when the grant has ended (roll back then), and `LeaseError` for a connection
    that is in no transaction, is in a savepoint, or leads to another database than the lease's
    (``home``, where known).
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
    _fence_sync(connection, grant, seconds, home)
    return None


async def _fence_async(
    connection: AsyncConnection | AsyncSession, grant: Grant, bound: float, home: URL | None
) -> None:
    if isinstance(connection, AsyncSession):
        connection = await connection.connection()
    _refuse_another_kind(connection, home)
    file = backend_of(connection).file(connection.engine.url)
    if file is None:
        await connection.run_sync(_prove, grant, bound, home)
        return
    with Turnstile(file) as entrance:
        try:
            await entrance.pass_soon(_PATIENCE)
        except TurnstileBusy as busy:
            raise StoreUnavailable(str(busy)) from None
        await connection.run_sync(_prove, grant, bound, home)


def _fence_sync(connection: Connection, grant: Grant, bound: float, home: URL | None) -> None:
    _refuse_another_kind(connection, home)
    file = backend_of(connection).file(connection.engine.url)
    if file is None:
        _prove(connection, grant, bound, home)
        return
    with Turnstile(file) as entrance:
        try:
            entrance.pass_within(_PATIENCE)
        except TurnstileBusy as busy:
            raise StoreUnavailable(str(busy)) from None
        _prove(connection, grant, bound, home)


def _prove(connection: Connection, grant: Grant, bound: float, home: URL | None) -> None:
    if connection.in_nested_transaction():
        raise LeaseError("fence must come before any savepoint: rolling back to one would drop it")
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
            raise LeaseLost(ended_sentence(grant)) from error
        if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_BUSY_SNAPSHOT":
            raise LeaseError(
                "this transaction read before it was fenced, and another one has written since: begin again, and fence first"
            ) from error
        raise
    if not _in_transaction(connection.connection.driver_connection):
        raise LeaseError(
            "fence needs a transaction, and this connection commits each statement by itself (autocommit): use engine.begin()"
        )


def _in_transaction(driver: Any) -> bool:
    """Return whether a driver's connection is in a transaction, now that a statement has been sent
    over it.
    """
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    if status is not None:  # psycopg, by libpq
        return bool(status != _IDLE)
    return bool(getattr(driver, "in_transaction", True))  # sqlite3, by itself or under aiosqlite


def _refuse_another_kind(connection: Connection | AsyncConnection, home: URL | None) -> None:
    if home is not None and home.get_backend_name() != connection.dialect.name:
        raise _elsewhere(connection.engine.url, home)


def _refuse_other_database(connection: Connection, home: URL | None) -> None:
    there = connection.engine.url
    if home is not None and place_of(there) != place_of(home):
        raise _elsewhere(there, home)


def _elsewhere(there: URL, home: URL) -> LeaseError:
    return LeaseError(
        f"the lease is in {describe(home)}, but this connection leads to {describe(there)}: "
        "a fence works only where the lease is; a resource elsewhere needs a gate that keeps the highest token"
    )
