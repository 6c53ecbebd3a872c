"""Signs of life on record: of the grant under which a run runs, and of replicas."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.database.dialects import clock, now, seconds_between
from lease.schema import lease

from ..reader import Reader
from ..statements.dialects import among
from ..tables import replica, run


@dataclass(frozen=True, slots=True)
class GrantLine:
    """The grant of a lease."""

    name: str
    token: int
    granted_at: datetime | None
    renewed_at: datetime | None
    ttl: float | None
    """Seconds after the renewal until it expires."""


def read_grant(connection: Connection, run_id: int) -> GrantLine | None:
    """Return the grant of a run that is running; None if it has ended."""
    granted = (lease.c.token == run.c.token, lease.c.holder == run.c.holder)
    ttl = seconds_between(lease.c.renewed_at, now()) + seconds_between(clock(), lease.c.expires_at)
    granted_at, renewed_at = lease.c.granted_at, lease.c.renewed_at
    reader = Reader(
        GrantLine, name=lease.c.name, token=lease.c.token, granted_at=granted_at, renewed_at=renewed_at, ttl=ttl
    )
    query = select(*reader.columns).join(run, run.c.lease_name == lease.c.name).where(run.c.id == run_id, *granted)
    row = connection.execute(query).one_or_none()
    return None if row is None else reader.read(row)


def seen_at(connection: Connection, holders: Collection[str]) -> dict[str, datetime]:
    """Return the last sign of life of each of these replicas that are known."""
    query = select(replica.c.holder, replica.c.seen_at).where(among(replica.c.holder, holders))
    return {row.holder: row.seen_at for row in connection.execute(query)}
