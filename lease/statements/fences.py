"""The fence of a transaction: a proof that a grant has not ended, which holds until the transaction
ends (rule 11).
"""

from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError

from ..database.backend import SCHEMA, backend_of
from ..database.driver_errors import sqlstate
from ..errors import LeaseLost, NeverGranted
from ..model import Grant, ended_sentence
from ..schema import lease, of_grant

FENCED_OFF = "LEASE"
"""The SQLSTATE that ``lease_fence`` raises."""


def fence(connection: Connection, grant: Grant, bound: float = 30.0) -> None:
    """Prove that ``grant`` has not ended, and keep it from ending until this transaction ends;
    `LeaseLost` otherwise (rule 11).

    PostgreSQL locks the row's key and bounds the transaction to ``bound`` seconds; SQLite takes the
    write lock by a write that changes nothing, since a read protects nothing there. See
    `lease.fences.fence` for connections that are not the library's own.
    """
    if backend_of(connection).has_functions:
        _fence_by_key(connection, grant, bound)
    elif connection.execute(update(lease).where(of_grant(grant)).values(token=lease.c.token)).rowcount != 1:
        known = select(lease.c.name).where(lease.c.name == grant.name, lease.c.token >= grant.token)
        raise _fenced_off(grant, known=connection.scalar(known) is not None)


def _fence_by_key(connection: Connection, grant: Grant, bound: float) -> None:
    call = text(f"SELECT {SCHEMA}.lease_fence(:name, CAST(:token AS bigint), :holder, make_interval(secs => :bound))")
    values = {"name": grant.name, "token": grant.token, "holder": grant.holder, "bound": float(bound)}
    try:
        connection.execute(call, values)
    except DBAPIError as error:
        if sqlstate(error) == FENCED_OFF:
            diagnosis = getattr(error.orig, "diag", None)
            raise _fenced_off(grant, known=getattr(diagnosis, "message_detail", None) != "never granted") from error
        raise


def _fenced_off(grant: Grant, *, known: bool) -> LeaseLost:
    if known:
        return LeaseLost(ended_sentence(grant))
    return NeverGranted(f"lease {grant.name!r} is lost: token {grant.token} was never granted in this database")
