"""The leases, and the runs that they are held for."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from lease.database.dialects import clock, now, seconds_between
from lease.schema import lease, stale
from lease.statements import list_prefix

from ...errors import NotFound
from ...states import LongLevel
from ...text import suggestion
from ..statements.dialects import is_under, running
from ..tables import Reader, run
from .usual import long_for

OF_DAEMON = ("run/", "prune/", "ping/")
"""The beginnings of the names of leases that the daemon takes for itself."""
THIN = 1 / 3
"""A lease is thin when less than this part of it is left: its holder renews long before."""
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
    long: LongLevel | None = None
    """It has been held for long, and not for a run: a run has thresholds of its own."""
    waiting: tuple[str, ...] = ()
    """The programs that wait for it, in the order in which they will be served."""

    def ttl(self, now: datetime) -> float:
        """Return how many seconds the lease is after each renewal, at this moment of the database's clock."""
        renewed = 0.0 if self.renewed_at is None else (now - self.renewed_at).total_seconds()
        return max((self.expires_in or 0.0) + max(renewed, 0.0), 0.001)

    def is_thin(self, now: datetime) -> bool:
        """Return whether its renewal is overdue, at this moment of the database's clock."""
        return self.live and (self.expires_in or 0.0) < THIN * self.ttl(now)


def require_lease(connection: Connection, prefix: str) -> None:
    """Raise `NotFound` unless the name of a lease begins with ``prefix``, or has begun with it."""
    if prefix and not list_prefix(connection, prefix, limit=1):
        names = list(connection.scalars(select(lease.c.name).order_by(lease.c.name).limit(MOST_COMPARED)))
        raise NotFound(f'there is no lease whose name begins with "{prefix}"; {suggestion(prefix, names)}')


def read_locks(
    connection: Connection, *, prefix: str = "", free: bool = False, after: str | None = None, limit: int | None = None
) -> list[Lock]:
    """Return the leases whose names begin with ``prefix``, by name, those after ``after``; free ones only with ``free``."""
    records = list_prefix(connection, prefix, free=free, after=after, limit=limit)
    running = select(run.c.lease_name, run.c.token, run.c.holder, run.c.id).where(run.c.state == "running")
    runs = {(name, token, holder): run_id for name, token, holder, run_id in connection.execute(running)}
    locks = []
    for one in records:
        run_id, long = runs.get((one.name, one.token, one.holder)), None
        if one.live and run_id is None and not one.name.startswith(OF_DAEMON):
            long = long_for(one.held_for or 0.0, None, None)
        as_recorded = (one.name, one.token, one.holder, one.label, one.granted_at, one.renewed_at)
        level, waiting = None if long is None else long.level, tuple(waiter.label for waiter in one.waiting)
        locks.append(Lock(*as_recorded, one.held_for, one.expires_in, one.live, run_id, level, waiting))
    return locks


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
    ttl = seconds_between(lease.c.renewed_at, now()) + seconds_between(clock(), lease.c.expires_at)
    reader = Reader(GrantLine, lease, ttl=ttl)
    row = connection.execute(select(*reader.columns).where(run.c.id == run_id, is_under())).one_or_none()
    return None if row is None else reader.read(row)


def held_by_programs(connection: Connection) -> Counter[LongLevel | None]:
    """Return how many leases are held, but for those of the daemon, by how long that is."""
    of_run = exists().where(running, is_under())
    of_daemon = or_(*(lease.c.name.startswith(prefix, autoescape=True) for prefix in OF_DAEMON))
    held = (lease.c.holder.is_not(None), ~stale(), ~of_daemon, ~of_run)
    seconds = connection.scalars(select(seconds_between(lease.c.granted_at, now())).where(*held))
    long = (long_for(one, None, None) for one in seconds)
    return Counter(None if one is None else one.level for one in long)
