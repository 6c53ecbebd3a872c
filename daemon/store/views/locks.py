"""The leases, and the runs that they are held for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.schema import lease
from lease.statements import list_prefix

from ...errors import NotFound
from ...text import suggestion
from ..tables import run

MOST_COMPARED = 10_000
"""How many names are compared with one that is not there."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lease, and the run that it is held for, if the daemon holds it."""

    name: str
    token: int
    holder: str | None
    label: str | None
    granted_at: datetime | None
    renewed_at: datetime | None
    held_for: float | None
    expires_in: float | None
    live: bool
    run_id: int | None


def require_lease(connection: Connection, prefix: str) -> None:
    """Raise `NotFound` unless the name of a lease begins with ``prefix``, or has begun with it."""
    if prefix and not list_prefix(connection, prefix, limit=1):
        names = list(connection.scalars(select(lease.c.name).order_by(lease.c.name).limit(MOST_COMPARED)))
        raise NotFound(f'there is no lease whose name begins with "{prefix}"; {suggestion(prefix, names)}')


def read_locks(
    connection: Connection,
    *,
    prefix: str = "",
    free: bool = False,
    after: str | None = None,
    limit: int | None = None,
) -> list[Lock]:
    """Return the leases whose names begin with ``prefix``, by name, those after ``after``; free ones only with ``free``."""
    records = list_prefix(connection, prefix, free=free, after=after, limit=limit)
    running = connection.execute(
        select(run.c.lease_name, run.c.token, run.c.holder, run.c.id).where(run.c.state == "running")
    )
    runs = {(name, token, holder): run_id for name, token, holder, run_id in running}
    return [
        Lock(
            record.name,
            record.token,
            record.holder,
            record.label,
            record.granted_at,
            record.renewed_at,
            record.held_for,
            record.expires_in,
            record.live,
            runs.get((record.name, record.token, record.holder)),
        )
        for record in records
    ]
