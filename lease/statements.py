"""The statements of the lease protocol, one function each, for PostgreSQL and SQLite alike.

Each takes a SQLAlchemy connection and runs in the caller's own transaction, so that other programs (the daemon, say) can grant and
release together with writes of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Select, case, func, select, text, tuple_, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from .database.backend import SCHEMA
from .database.dialects import clock, later, lock_timeout, now, seconds_between, this_boot
from .database.sqlstate import sqlstate
from .errors import LeaseLost, NeverGranted
from .model import Grant, LeaseRecord
from .schema import free_or_stale, lease, stale


@dataclass(frozen=True, slots=True)
class RenewedPairs:
    """What a renewal renewed, and the database's wall clock at it (None when it renewed nothing)."""

    pairs: frozenset[tuple[str, int]]
    database_time: float | None


@dataclass(frozen=True, slots=True)
class Release:
    """What a release did."""

    released: bool
    """False: this grant had ended before."""
    awaited: bool
    """Somebody waits to hear of it."""


def grant(
    connection: Connection, names: Sequence[str], holder: str, ttl: float, *, label: str | None = None
) -> list[Grant]:
    """Grant to ``holder`` those of ``names`` that are free or stale, each under its next token (rules 4 and 5).

    Waits for no row: one that somebody has locked, a live one and a fenced one are passed over. Needs one statement when the rows
    exist. At most one grant a name.
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
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    if rows := [{"name": name} for name in _unclaimed(connection, names)]:
        connection.execute(dialect.insert(lease).on_conflict_do_nothing(), rows)


def _unclaimed(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    """Return those of ``names`` that no other transaction is inserting: ON CONFLICT DO NOTHING would wait for it (rule 4).

    SQLite has one writer at a time.
    """
    if connection.dialect.name != "postgresql":
        return names
    return connection.scalars(_CLAIM, {"names": list(names)}).all()


_CLAIM = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE pg_try_advisory_xact_lock(528304792, hashtext(name))"
)


def renew(connection: Connection, holder: str, ttl: float, *, lock_wait: float) -> RenewedPairs:
    """Renew every lease of ``holder`` in one statement (rule 7), and return what was renewed.

    A row that somebody else holds locked for longer than ``lock_wait`` seconds makes the database refuse the whole statement; then
    use `renew_unlocked`.
    """
    return _renew(connection, lease.c.holder == holder, lock_timeout(lock_wait), ttl=ttl)


def renew_unlocked(connection: Connection, holder: str, ttl: float) -> RenewedPairs:
    """Renew the leases of ``holder``, passing over rows that somebody else holds locked (rule 7)."""
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
        .values(expires_at=later(clock(), ttl), renewed_at=now())
        .returning(lease.c.name, lease.c.token, lease.c.renewed_at)
    ).all()
    times = [renewed_at.timestamp() for _, _, renewed_at in rows]
    return RenewedPairs(frozenset((name, token) for name, token, _ in rows), max(times, default=None))


def release(connection: Connection, grant: Grant, *, lock_wait: float = 5.0) -> Release:
    """End ``grant``, if it has not ended: name, token *and* holder must match (rule 6). The token stays (rule 5).

    Waits up to ``lock_wait`` seconds for transactions that are fenced with this grant.
    """
    row = connection.execute(
        update(lease)
        .where(_is(grant), lock_timeout(lock_wait))
        .values(_ENDED)
        .returning(lease.c.awaited_until > clock())
    ).one_or_none()
    return Release(released=row is not None, awaited=bool(row and row[0]))


def settle(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are stale, and return them; waits for no row (rule 18)."""
    return _end(connection, grants, stale())


def end_dead(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are in force still, stale or not; only for holders whose death and whose work's is proven (rule 18)."""
    return _end(connection, grants)


def _end(connection: Connection, grants: Iterable[Grant], *where: ColumnElement[bool]) -> list[Grant]:
    keys = [(grant.name, grant.token, grant.holder) for grant in grants]
    if not keys:
        return []
    key = tuple_(lease.c.name, lease.c.token, lease.c.holder)
    ending = select(lease.c.name, lease.c.token, lease.c.holder).where(key.in_(keys), *where)
    locked = ending.order_by(lease.c.name).with_for_update(skip_locked=True)
    ended = {(name, token, holder) for name, token, holder in connection.execute(locked)}
    if ended:
        connection.execute(update(lease).where(key.in_(sorted(ended))).values(_ENDED))
    return [Grant(*one) for one in keys if one in ended]


def read(connection: Connection, names: Sequence[str]) -> dict[str, LeaseRecord]:
    """Return what the database has under these names; a name never granted is missing."""
    rows = connection.execute(_records().where(lease.c.name.in_(names)))
    return {row.name: LeaseRecord(*row) for row in rows}


def list_prefix(connection: Connection, prefix: str) -> list[LeaseRecord]:
    """Return the leases whose names begin with ``prefix``, by name."""
    # SQLite's LIKE takes a letter for its capital; PostgreSQL's finds the place in the index.
    begins = lease.c.name.startswith(prefix, autoescape=True) & (func.substr(lease.c.name, 1, len(prefix)) == prefix)
    query = _records().where(begins).order_by(lease.c.name)
    return [LeaseRecord(*row) for row in connection.execute(query)]


def await_release(connection: Connection, name: str, seconds: float) -> bool:
    """Leave word that somebody waits for ``name`` for that long; False when its row is locked, and was passed over."""
    unlocked = (
        select(lease.c.name)
        .where(lease.c.name == name)
        .with_for_update(skip_locked=True, key_share=True)
        .cte("unlocked")
    )
    word = update(lease).where(lease.c.name.in_(select(unlocked.c.name))).values(awaited_until=later(clock(), seconds))
    return connection.execute(word).rowcount > 0


def fence(connection: Connection, grant: Grant, bound: float = 30.0) -> None:
    """Prove that ``grant`` has not ended, and keep it from ending until this transaction ends; `LeaseLost` otherwise (rule 11).

    PostgreSQL locks the row's key and bounds the transaction to ``bound`` seconds; SQLite takes the write lock by a write that changes
    nothing, since a read protects nothing there. See `lease.fence.fence` for connections that are not the library's own.
    """
    if connection.dialect.name == "postgresql":
        _fence_by_key(connection, grant, bound)
    elif connection.execute(update(lease).where(_is(grant)).values(token=lease.c.token)).rowcount != 1:
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
        return LeaseLost(f"lease {grant.name!r} is lost: the grant with token {grant.token} has ended")
    return NeverGranted(f"lease {grant.name!r} is lost: token {grant.token} was never granted in this database")


FENCED_OFF = "LEASE"
"""The SQLSTATE that ``lease_fence`` raises."""

_ENDED = {"holder": None, "label": None, "boot": None, "expires_at": None}


def _is(grant: Grant) -> ColumnElement[bool]:
    return (lease.c.name == grant.name) & (lease.c.token == grant.token) & (lease.c.holder == grant.holder)


def _records() -> Select[Any]:
    held = lease.c.holder.is_not(None)
    return select(
        lease.c.name,
        lease.c.token,
        lease.c.holder,
        lease.c.label,
        lease.c.granted_at,
        lease.c.renewed_at,
        case((held, seconds_between(lease.c.granted_at, now()))).label("held_for"),
        case((held, seconds_between(clock(), lease.c.expires_at))).label("expires_in"),
        type_coerce(~free_or_stale(), Boolean).label("live"),
    )


CHANNEL = "lease_released"
"""PostgreSQL's channel of names just released."""


def notify(connection: Connection, name: str) -> None:
    """Tell PostgreSQL's listeners that ``name`` was released; SQLite has none, there a waiter looks by itself."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, name)))
