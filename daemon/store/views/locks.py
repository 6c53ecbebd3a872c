"""The leases, and the runs that they are held for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.statements import list_prefix

from ..tables import run


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


def read_locks(connection: Connection, *, prefix: str = "", free: bool = False) -> list[Lock]:
    """Return the leases whose names begin with ``prefix``; free ones only with ``free``."""
    records = [record for record in list_prefix(connection, prefix) if free or record.holder is not None]
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
