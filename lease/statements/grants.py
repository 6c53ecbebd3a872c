"""The grant of several names: those that are free or stale, each under its next token (rules 4 and
5).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select, text, update

from ..database.backend import backend_of
from ..database.dialects import clock, insert_missing, later, now, this_boot
from ..model import Grant
from ..schema import free_or_stale, lease

_CLAIM = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE pg_try_advisory_xact_lock(528304792, hashtext(name))"
)


def grant(
    connection: Connection, names: Sequence[str], holder: str, ttl: float, *, label: str | None = None
) -> list[Grant]:
    """Grant to ``holder`` those of ``names`` that are free or stale, each under its next token
    (rules 4 and 5).

    Waits for no row: those that are locked, live or fenced are passed over. Needs one statement
    when the rows exist. Grants each name at most once.
    """
    wanted = sorted(set(names))
    granted = _grant_existing(connection, wanted, holder, ttl, label)
    if len(granted) < len(wanted) and (missing := _missing(connection, wanted)):
        _insert_missing(connection, missing)
        granted += _grant_existing(connection, missing, holder, ttl, label)
    return granted


def _grant_existing(
    connection: Connection, names: Sequence[str], holder: str, ttl: float, label: str | None
) -> list[Grant]:
    free = (
        select(lease.c.name)
        .where(lease.c.name.in_(names), free_or_stale())
        .order_by(lease.c.name)
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    rows = connection.execute(
        update(lease)
        .where(lease.c.name.in_(select(free.c.name)), free_or_stale())
        .values(
            token=lease.c.token + 1,
            holder=holder,
            label=label,
            boot=this_boot(),
            expires_at=later(clock(), ttl),
            granted_at=now(),
            renewed_at=now(),
        )
        .returning(lease.c.name, lease.c.token)
    )
    return [Grant(name, token, holder) for name, token in rows]


def _missing(connection: Connection, names: Sequence[str]) -> list[str]:
    present = set(connection.scalars(select(lease.c.name).where(lease.c.name.in_(names))))
    return [name for name in names if name not in present]


def _insert_missing(connection: Connection, names: Sequence[str]) -> None:
    if rows := [{"name": name} for name in _unclaimed(connection, names)]:
        connection.execute(insert_missing(connection, lease), rows)


def _unclaimed(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    """Return those of ``names`` that no other transaction is inserting: ON CONFLICT DO NOTHING
    would wait for it (rule 4).
    """
    if backend_of(connection).has_one_writer:
        return names
    return connection.scalars(_CLAIM, {"names": list(names)}).all()
