"""The public ``fence``: it acts by the kind of connection, whoever holds the lease."""

from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Union, overload

from sqlalchemy import URL, Connection, make_url

from ..database.address import checked_schema, schema_in
from ..database.backend import SCHEMA
from ..database.foreign import kind_of, names_of
from ..durations import Duration, parse_duration
from ..errors import LeaseError
from ..model import Grant
from .proof import Home, Proof
from .unawaited import watched

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import Session, scoped_session

BOUND = 30.0
"""Seconds that a fenced transaction may take, by default."""


class DjangoConnection(Protocol):
    """What `django.db.connection` is to a type checker."""

    @property
    def vendor(self) -> str: ...

    @property
    def in_atomic_block(self) -> bool: ...


# Strings where importing the class would load SQLAlchemy's ORM, or a driver that is not used.
SyncKinds = Union[Connection, "Session", "scoped_session[Session]", "psycopg.Connection[Any]", DjangoConnection]
AsyncKinds = Union[
    "AsyncConnection", "AsyncSession", "async_scoped_session[AsyncSession]", "psycopg.AsyncConnection[Any]"
]


class Fencing(Protocol):
    """A lease of either client."""

    @property
    def grant(self) -> Grant: ...

    def fence(self, connection: Any, *, bound: Duration) -> Any: ...


@overload
def fence(
    connection: SyncKinds,
    grant: Grant | Fencing,
    *,
    bound: Duration = BOUND,
    home: URL | str | None = None,
    identity: str | None = None,
    schema: str | None = None,
) -> None: ...


@overload
def fence(
    connection: AsyncKinds,
    grant: Grant | Fencing,
    *,
    bound: Duration = BOUND,
    home: URL | str | None = None,
    identity: str | None = None,
    schema: str | None = None,
) -> Coroutine[Any, Any, None]: ...


def fence(
    connection: Any,
    grant: Grant | Fencing,
    *,
    bound: Duration = BOUND,
    home: URL | str | None = None,
    identity: str | None = None,
    schema: str | None = None,
) -> Any:
    """Fence the transaction of ``connection``: prove that ``grant`` (or a lease's grant) has not ended.

    Until the transaction ends, nobody else can be granted the name, so it commits only under this
    grant's token. Call it first in the transaction, before any savepoint.

    ``connection`` is SQLAlchemy's Connection, Session, AsyncConnection or AsyncSession (or a scoped
    session), psycopg's Connection or AsyncConnection, or Django's ``connection``. Await it for the async
    kinds: if you forget that, the transaction cannot be committed.

    ``bound`` is how long (seconds, or ``"30s"``) the transaction can take on PostgreSQL before the server
    ends it, so that a paused process does not block the next holder without limit. Shorter limits of the
    transaction itself stay. On SQLite, renewals wait for the transaction, so keep it short.

    ``schema`` is the schema of the leases on PostgreSQL, by default that of ``home``, otherwise ``public``. ``home`` is
    the URL of the lease's database, and ``identity`` what tells it from a copy; a lease of a client knows both.

    Raises `LeaseLost` if the grant has ended: roll back. Raises `LeaseError` for a connection that is in
    no transaction, is in a savepoint, can only read, or is to another database than the lease's.
    """
    if not isinstance(grant, Grant):
        return grant.fence(connection, bound=bound)
    proof = _proof(grant, bound, None if home is None else Home(make_url(home), identity), schema)
    kind = kind_of(connection)
    if kind is None or not kind.may_fence:
        raise _no_connection(connection)

    def prove(given: Any) -> None:
        proof.over(kind.over(given, proof.schema))

    return prove(connection) if kind.work is None else watched(partial(kind.work, connection, prove), connection)


def _proof(grant: Grant, bound: Duration, home: Home | None, schema: str | None) -> Proof:
    seconds = parse_duration(bound)
    if seconds <= 0:
        raise LeaseError("the bound of a fence is 0, but its transaction needs some time: set it above 0")
    if schema is not None:
        return Proof(grant, seconds, home, checked_schema(schema))
    return Proof(grant, seconds, home, SCHEMA if home is None else schema_in(home.url))


def _no_connection(given: Any) -> LeaseError:
    kind = names_of(given)[0].removeprefix("builtins.")
    return LeaseError(
        f"fence takes a connection or session of SQLAlchemy, a connection of psycopg, or Django's connection, not {kind}"
    )
