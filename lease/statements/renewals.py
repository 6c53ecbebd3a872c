"""The renewal of all leases of one holder in one statement (rule 7)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select, update

from ..database.contention import lock_timeout
from ..database.dialects import clock, later, now, uptime
from ..schema import lease


@dataclass(frozen=True, slots=True)
class RenewedPairs:
    """What a renewal renewed, and the database's wall clock at it (None when it renewed nothing)."""

    pairs: frozenset[tuple[str, int]]
    database_time: float | None


def renew(connection: Connection, holder: str, ttl: float, *, lock_wait: float) -> RenewedPairs:
    """Renew every lease of ``holder`` in one statement (rule 7), and return what was renewed.

    A row that another transaction has locked for longer than ``lock_wait`` seconds makes the
    database refuse the whole statement; use `renew_unlocked` then.
    """
    return _renew(connection, lease.c.holder == holder, lock_timeout(lock_wait), ttl=ttl)


def renew_unlocked(connection: Connection, holder: str, ttl: float) -> RenewedPairs:
    """Renew the leases of ``holder``, passing over rows that another transaction has locked (rule
    7).
    """
    unlocked = (
        select(lease.c.name)
        .where(lease.c.holder == holder)
        .order_by(lease.c.name)
        .with_for_update(skip_locked=True, key_share=True)
        .cte("unlocked")
    )
    return _renew(connection, lease.c.holder == holder, lease.c.name.in_(select(unlocked.c.name)), ttl=ttl)


def _renew(connection: Connection, *where: ColumnElement[bool], ttl: float) -> RenewedPairs:
    rows = connection.execute(
        update(lease)
        .where(*where)
        .values(expires_at=later(clock(), ttl), renewed_at=now(), uptime=uptime())
        .returning(lease.c.name, lease.c.token, lease.c.renewed_at)
    ).all()
    times = [renewed_at.timestamp() for _, _, renewed_at in rows]
    return RenewedPairs(frozenset((name, token) for name, token, _ in rows), max(times, default=None))
