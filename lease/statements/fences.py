"""The fence of a transaction: a proof that a grant has not ended, which holds until the transaction ends (rule 11)."""

from functools import lru_cache

from sqlalchemy import Connection, TextClause, select, text, update
from sqlalchemy.exc import DBAPIError

from ..database.address import same_identity
from ..database.backend import quoted, schema_of
from ..database.driver_errors import detail, sqlite_name, sqlstate
from ..database.foreign import IN_SAVEPOINT, Foreign, OfSQLAlchemy
from ..errors import LeaseError, LeaseLost, NeverGranted
from ..model import Grant, ended_sentence
from ..schema import lease, of_grant

FENCED_OFF = "LEASE"
"""The SQLSTATE that ``lease_fence`` raises."""
SERIALIZATION_FAILURE = "40001"
SAVEPOINT_EXCEPTION = "3B000"
READ_ONLY = "25006"
MAY_NOT_WRITE = (
    "fence locks the row of its lease, which a READ ONLY transaction cannot do: begin a read-write one, on the primary"
)
MAY_NOT_WRITE_TO_FILE = (
    "fence writes to the file of its lease, which this connection can only read: use one that can write"
)


class OtherDatabase(LeaseError):
    """The connection leads to another database than the lease's, which may be a copy of it."""


def fence(
    connection: Connection,
    grant: Grant,
    bound: float = 30.0,
    schema: str | None = None,
    identity: str | None = None,
) -> None:
    """Prove that ``grant`` has not ended, and keep it from ending until this transaction ends;
    `LeaseLost` otherwise (rule 11).

    ``schema`` has the tables; by default that of the connection. ``identity`` is that of the database (PostgreSQL;
    `lease.database.address`), if it is to be compared. See `lease.fences.fence` for connections
    that are not the library's own.
    """
    try:
        prove(OfSQLAlchemy(connection, schema or schema_of(connection)), grant, bound, identity)
    except DBAPIError as error:
        refused = refusal(error, grant)
        if refused is None:
            raise
        raise refused from error


def prove(over: Foreign, grant: Grant, bound: float, identity: str | None) -> None:
    """Do so over a connection of any kind.

    PostgreSQL locks the row's key and bounds the transaction to ``bound`` seconds; SQLite takes the
    write lock by a write that changes nothing, since a read protects nothing there.
    """
    if over.backend.has_functions:
        values = {"name": grant.name, "token": grant.token, "holder": grant.holder, "bound": float(bound)}
        of_database = {} if identity is None else {"identity": identity}
        answer = over.send(_fence_text(over.schema, identity), {**values, **of_database})
        if not answer.rows:
            raise OtherDatabase("this connection is to another database than the lease's")
        return
    if over.send(update(lease).where(of_grant(grant)).values(token=lease.c.token)).changed != 1:
        known = select(lease.c.name).where(lease.c.name == grant.name, lease.c.token >= grant.token)
        raise fenced_off(grant, known=bool(over.send(known).rows))


@lru_cache(maxsize=16)  # to read it anew costs as much as the server's comparison
def _fence_text(schema: str, identity: str | None) -> TextClause:
    """Return the call of the ``lease_fence`` of a schema; it has a row if this is the database of ``identity``."""
    call = f"{quoted(schema)}lease_fence(:name, CAST(:token AS bigint), :holder, make_interval(secs => :bound))"
    where = "" if identity is None else f" WHERE {same_identity(identity, ':identity')}"
    return text(f"SELECT {call}{where}")


def refusal(error: BaseException, grant: Grant) -> LeaseError | None:
    """Return what a driver's error says of ``grant``; None if nothing."""
    code = sqlstate(error)
    if code == FENCED_OFF:
        return fenced_off(grant, known=detail(error) != "never granted")
    # That the row's key has changed since the transaction's snapshot is said without a detail. All else of this code
    # (a conflict of what the transaction itself has read and written, say) is for the program, which tries it again.
    if code == SERIALIZATION_FAILURE and detail(error) is None:
        return LeaseLost(ended_sentence(grant))
    if code == READ_ONLY:
        return LeaseError(MAY_NOT_WRITE)
    if sqlite_name(error).startswith("SQLITE_READONLY"):
        return LeaseError(MAY_NOT_WRITE_TO_FILE)
    if code == SAVEPOINT_EXCEPTION:
        return LeaseError(IN_SAVEPOINT)
    return None


def fenced_off(grant: Grant, *, known: bool) -> LeaseLost:
    """Return the error for a grant that is not in force; ``known``: this database has granted it."""
    if known:
        return LeaseLost(ended_sentence(grant))
    return NeverGranted(f"lease {grant.name!r} is lost: token {grant.token} was never granted in this database")
