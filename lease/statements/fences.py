"""The fence of a transaction: a proof that a grant has not ended, which holds until the transaction
ends (rule 11).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, select, text, update
from sqlalchemy.exc import DBAPIError

from ..database.backend import FILE_ITSELF, backend_of, quoted, schema_of
from ..database.driver_errors import detail, may_not_write_to_file, sqlstate
from ..database.held.identity import same_identity
from ..errors import LeaseError, LeaseLost, NeverGranted
from ..model import Grant, ended_sentence
from ..schema import lease, of_grant

FENCED_OFF = "LEASE"
"""The SQLSTATE that ``lease_fence`` raises."""
SERIALIZATION_FAILURE = "40001"
SAVEPOINT_EXCEPTION = "3B000"
READ_ONLY = "25006"
IN_SAVEPOINT = (
    "fence must come before any savepoint: rolling back to one would drop it. Fence first in the transaction "
    '(in a test whose session joins one, use join_transaction_mode="rollback_only")'
)

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

    PostgreSQL locks the row's key and bounds the transaction to ``bound`` seconds; SQLite takes the
    write lock by a write that changes nothing, since a read protects nothing there. ``schema`` has the
    tables; by default that of the connection. ``identity`` is that of the database (PostgreSQL;
    `lease.database.held.identity`), if it is to be compared. See `lease.fences.fence` for connections
    that are not the library's own.
    """
    if backend_of(connection).has_functions:
        _fence_by_key(connection, grant, bound, schema or schema_of(connection), identity)
    else:
        _fence_by_write(connection, grant)


def _fence_by_write(connection: Connection, grant: Grant) -> None:
    ours: Any = {
        "schema_translate_map": {None: FILE_ITSELF}
    }  # a table that the program made for itself may have the name
    write = update(lease).where(of_grant(grant)).values(token=lease.c.token)
    if connection.execute(write, execution_options=ours).rowcount != 1:
        known = select(lease.c.name).where(lease.c.name == grant.name, lease.c.token >= grant.token)
        raise fenced_off(grant, known=connection.scalar(known, execution_options=ours) is not None)


def _fence_by_key(connection: Connection, grant: Grant, bound: float, schema: str | None, identity: str | None) -> None:
    try:
        row = connection.execute(_fence_text(schema, identity), fence_values(grant, bound, identity)).first()
        refuse_other_database(row, identity)
    except DBAPIError as error:
        refused = refusal(error, grant)
        if refused is None:
            raise
        raise refused from error


@lru_cache(maxsize=16)  # to read it anew costs as much as the server's comparison
def _fence_text(schema: str | None, identity: str | None) -> TextClause:
    return text(fence_call(":{}", schema, identity))


def fence_call(parameter: str, schema: str | None, identity: str | None = None) -> str:
    """Return the SQL that calls the ``lease_fence`` of a schema, if this is the database of ``identity``, with
    parameters written as ``parameter`` (``":{}"``) says. `refuse_other_database` takes its row: none elsewhere.
    """
    name, token, holder, bound = (parameter.format(one) for one in ("name", "token", "holder", "bound"))
    call = f"{quoted(schema)}lease_fence({name}, CAST({token} AS bigint), {holder}, make_interval(secs => {bound}))"
    where = "" if identity is None else f" WHERE {same_identity(identity, parameter.format('identity'))}"
    return f"SELECT {call}{where}"


def fence_values(grant: Grant, bound: float, identity: str | None = None) -> dict[str, Any]:
    """Return the parameters of `fence_call`."""
    values = {"name": grant.name, "token": grant.token, "holder": grant.holder, "bound": float(bound)}
    return values if identity is None else {**values, "identity": identity}


def refuse_other_database(row: Sequence[Any] | None, identity: str | None) -> None:
    """Refuse what `fence_call` has found to be another database than that of ``identity``."""
    if identity is not None and row is None:
        raise OtherDatabase("this connection is to another database than the lease's")


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
    if may_not_write_to_file(error):
        return LeaseError(MAY_NOT_WRITE_TO_FILE)
    if code == SAVEPOINT_EXCEPTION:
        return LeaseError(IN_SAVEPOINT)
    return None


def fenced_off(grant: Grant, *, known: bool) -> LeaseLost:
    """Return the error for a grant that is not in force; ``known``: this database has granted it."""
    if known:
        return LeaseLost(ended_sentence(grant))
    return NeverGranted(f"lease {grant.name!r} is lost: token {grant.token} was never granted in this database")
