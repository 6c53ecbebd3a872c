"""The ends of grants: by release, by settlement of what is stale, and for holders whose death is
proven (rules 5, 6 and 18); and the break of a grant that somebody else holds: it fences off at once, and the next
grant waits for the work under it.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, bindparam, cast, select, update

from ..database.dialects import (
    any_of,
    array_of,
    clock,
    durably_committed,
    lock_timeout,
    now,
    seconds_of,
)
from ..database.held.statement import Call, Rows, Statement
from ..model import Break, Grant, mark_of
from ..schema import ENDED, lease, named, of_grant, stale
from ..waiters import Waiters, parse_waiters

_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Release:
    """What a release did."""

    released: bool
    """False: this grant had ended before."""
    waiting: Waiters = ()
    """The queue for it, in order: to be notified once this is committed (`notify`)."""


def release(connection: Connection, grant: Grant, *, lock_wait: float = 5.0) -> Release:
    """End ``grant``, if it has not ended: name, token *and* holder must match (rule 6). The token stays (rule 5).

    Waits up to ``lock_wait`` seconds for transactions that are fenced with this grant.
    """
    return releasing(grant, lock_wait)(connection)


def releasing(grant: Grant, lock_wait: float) -> Call[Release]:
    """Return the call that is `release`."""
    values = {"of_name": grant.name, "of_token": grant.token, "of_holder": grant.holder, "lock_wait": lock_wait}
    return Call(_RELEASE, values, _released)


def _released(rows: Rows) -> Release:
    if not rows:
        return Release(released=False)
    moment, waiters = rows[0]
    return Release(released=True, waiting=parse_waiters(waiters, moment))


_RELEASE = Statement(
    update(lease)
    .where(
        lease.c.name == bindparam("of_name"),
        lease.c.token == bindparam("of_token"),
        lease.c.holder == bindparam("of_holder"),
        lock_timeout("lock_wait"),
    )
    .values(ENDED)
    .returning(seconds_of(clock()).label("moment"), lease.c.waiters)
)


def release_all(connection: Connection, holder: str, besides: Collection[str] = ()) -> dict[Grant, Waiters]:
    """End what ``holder`` has besides these names, in one statement; return what was ended, and who waits for each.

    Ends a few thousand at once, so that it is soon over, and passes over rows that another
    transaction has locked: when it ends nothing, the rest is locked.
    """
    mine = lease.c.holder == holder
    unlocked = (
        select(lease.c.name)
        .where(mine, ~any_of(lease.c.name, _array(besides)))
        .order_by(lease.c.name)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("unlocked")
    )
    rows = connection.execute(
        update(lease)
        .where(mine, lease.c.name.in_(select(unlocked.c.name)))
        .values(ENDED)
        .returning(lease.c.name, lease.c.token, lease.c.waiters, seconds_of(clock()))
    )
    return {Grant(name, token, holder): parse_waiters(waiters, at) for name, token, waiters, at in rows}


def lock(connection: Connection, grants: Collection[Grant], *, lock_wait: float | None = None) -> set[Grant]:
    """Lock those of ``grants`` that have not ended, and return them: `end` is to end them.

    Passes over rows that another transaction has locked; with ``lock_wait`` it waits so many seconds
    for them, for transactions that are fenced with these grants, say.
    """
    statement, values = (_LOCK, {}) if lock_wait is None else (_LOCK_WAITING, {"lock_wait": lock_wait})
    return _locked(statement, connection, grants, values)


def hold(connection: Connection, grants: Collection[Grant], *, lock_wait: float | None = None) -> set[Grant]:
    """Keep those of ``grants`` that have not ended in force until this transaction ends, and return them (rule 11).

    As `lock`, it passes over rows that another transaction has locked, or waits. Only in a transaction
    that writes: on SQLite, its turn to write is what keeps them.
    """
    statement, values = (_HOLD, {}) if lock_wait is None else (_HOLD_WAITING, {"lock_wait": lock_wait})
    return _locked(statement, connection, grants, values)


def in_force(connection: Connection, grant: Grant) -> bool:
    """Return whether a grant has not ended, also while another transaction has its row locked."""
    return bool(_locked(_FIND, connection, [grant], {}))


def end(connection: Connection, grants: Collection[Grant]) -> dict[Grant, Waiters]:
    """End grants that this transaction has locked; return who waits for each."""
    by_name = {grant.name: grant for grant in grants}
    rows = _END(connection, {"names": _array(by_name)}) if by_name else []
    return {by_name[name]: parse_waiters(waiters, at) for name, waiters, at in rows}


def settle(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are stale, and return them; waits for no row (rule 18)."""
    return _end(connection, grants, _LOCK_STALE)


def end_dead(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are still in force, stale or not: only for holders that are
    proven dead, and their work with them (rule 18).
    """
    return _end(connection, grants, _LOCK)


def _end(connection: Connection, grants: Iterable[Grant], locking: Statement) -> list[Grant]:
    wanted = list(grants)
    found = _locked(locking, connection, wanted, {})
    ended = [grant for grant in wanted if grant in found]
    end(connection, ended)
    return ended


def _locked(
    statement: Statement, connection: Connection, grants: Collection[Grant], values: Mapping[str, Any]
) -> set[Grant]:
    if not grants:
        return set()
    keys = _array([f"{grant.name}/{grant.token}/{grant.holder}" for grant in grants])
    rows = statement(connection, {"names": _array([grant.name for grant in grants]), "keys": keys, **values})
    return {Grant(name, token, holder) for name, token, holder in rows}


def _array(values: Iterable[str]) -> str:
    return array_of(sorted(set(values)))


def _locking(*where: ColumnElement[bool], waits: bool = False, shared: bool = False) -> Statement:
    ours = _ours.where(*where).order_by(lease.c.name)
    return Statement(ours.with_for_update(skip_locked=not waits, read=shared, key_share=shared))


# The whole grant as a string: the row of another one must not even be locked, as its holder would wait.
_exactly = any_of(
    lease.c.name + "/" + cast(lease.c.token, Text) + "/" + lease.c.holder, bindparam("keys", type_=Text())
)
_ours = select(lease.c.name, lease.c.token, lease.c.holder).where(named, _exactly)
_FIND = Statement(_ours)
_LOCK = _locking()
_LOCK_STALE = _locking(stale())
_LOCK_WAITING = _locking(lock_timeout("lock_wait"), waits=True)
_HOLD = _locking(shared=True)
_HOLD_WAITING = _locking(lock_timeout("lock_wait"), waits=True, shared=True)
_END = Statement(update(lease).where(named).values(ENDED).returning(lease.c.name, lease.c.waiters, seconds_of(clock())))


def break_grant(connection: Connection, grant: Grant, *, by: str, reason: str, lock_wait: float = 5.0) -> Break | None:
    """Break ``grant``, and record by whom and why; None when it had ended before.

    The row's holder becomes a mark, and its expires_at stays: fences and renewals of the holder, who is of any version,
    match no more, while nobody is granted the name before the holder ends the mark or its last ttl is over. Waits up to
    ``lock_wait`` seconds for transactions that are fenced with this grant; then the database refuses the statement.
    """
    held = connection.execute(select(lease.c.label, now()).where(of_grant(grant))).one_or_none()
    if held is None:
        return None
    label, at = held
    made = Break(by, reason, at, grant.holder, label, grant.token)
    breaking = update(lease).where(of_grant(grant), lock_timeout(lock_wait), durably_committed())
    done = connection.execute(breaking.values(holder=mark_of(grant).holder, broken=encode(made)))
    return made if done.rowcount else None


def encode(made: Break) -> str:
    """Return what the row keeps of a break."""
    return json.dumps({**asdict(made), "at": made.at.isoformat()})
