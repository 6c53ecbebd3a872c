"""The fence of a transaction: a proof that a grant has not ended, which holds until the transaction
ends (rule 11).
"""

from typing import Any

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError

from ..database.backend import backend_of, quoted, schema_of
from ..database.driver_errors import detail, sqlstate
from ..errors import LeaseError, LeaseLost, NeverGranted
from ..model import Grant, ended_sentence
from ..schema import lease, of_grant

FENCED_OFF = "LEASE"
"""The SQLSTATE that ``lease_fence`` raises."""
SERIALIZATION_FAILURE = "40001"
SAVEPOINT_EXCEPTION = "3B000"
IN_SAVEPOINT = (
    "fence must come before any savepoint: rolling back to one would drop it. Fence first in the transaction "
    '(in a test whose session joins one, use join_transaction_mode="rollback_only")'
)


def fence(connection: Connection, grant: Grant, bound: float = 30.0, schema: str | None = None) -> None:
    """Prove that ``grant`` has not ended, and keep it from ending until this transaction ends;
    `LeaseLost` otherwise (rule 11).

    PostgreSQL locks the row's key and bounds the transaction to ``bound`` seconds; SQLite takes the
    write lock by a write that changes nothing, since a read protects nothing there. ``schema`` has the
    tables; by default that of the connection. See `lease.fences.fence` for connections that are not
    the library's own.
    """
    if backend_of(connection).has_functions:
        _fence_by_key(connection, grant, bound, schema or schema_of(connection))
    elif connection.execute(update(lease).where(of_grant(grant)).values(token=lease.c.token)).rowcount != 1:
        known = select(lease.c.name).where(lease.c.name == grant.name, lease.c.token >= grant.token)
        raise fenced_off(grant, known=connection.scalar(known) is not None)


def _fence_by_key(connection: Connection, grant: Grant, bound: float, schema: str | None) -> None:
    try:
        connection.execute(text(fence_call(":{}", schema)), fence_values(grant, bound))
    except DBAPIError as error:
        refused = refusal(error, grant)
        if refused is None:
            raise
        raise refused from error


def fence_call(parameter: str, schema: str | None) -> str:
    """Return the SQL that calls the ``lease_fence`` of a schema, with parameters written as ``parameter``
    (``":{}"``) says.
    """
    name, token, holder, bound = (parameter.format(one) for one in ("name", "token", "holder", "bound"))
    return (
        f"SELECT {quoted(schema)}lease_fence({name}, CAST({token} AS bigint), {holder}, make_interval(secs => {bound}))"
    )


def fence_values(grant: Grant, bound: float) -> dict[str, Any]:
    """Return the parameters of `fence_call`."""
    return {"name": grant.name, "token": grant.token, "holder": grant.holder, "bound": float(bound)}


def refusal(error: BaseException, grant: Grant) -> LeaseError | None:
    """Return what a driver's error says of ``grant``; None if nothing."""
    code = sqlstate(error)
    if code == FENCED_OFF:
        return fenced_off(grant, known=detail(error) != "never granted")
    if code == SERIALIZATION_FAILURE:  # the row's key changed since the transaction's snapshot
        return LeaseLost(ended_sentence(grant))
    if code == SAVEPOINT_EXCEPTION:
        return LeaseError(IN_SAVEPOINT)
    return None


def fenced_off(grant: Grant, *, known: bool) -> LeaseLost:
    """Return the error for a grant that is not in force; ``known``: this database has granted it."""
    if known:
        return LeaseLost(ended_sentence(grant))
    return NeverGranted(f"lease {grant.name!r} is lost: token {grant.token} was never granted in this database")
