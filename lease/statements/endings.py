"""The ends of grants: by release, by settlement of what is stale, and for holders whose death is proven
(rules 5, 6 and 18).
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Text, bindparam, cast, null, select, update

from ..database.contention import lock_timeout
from ..database.dialects import any_of, clock, seconds_of
from ..database.held.statement import Call, Rows, Statement
from ..model import Grant
from ..schema import lease, stale
from ..waiters import Waiters, parse_waiters

_ENDED = {"holder": null(), "label": null(), "boot": null(), "expires_at": null(), "released_at": clock()}
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Release:
    """What a release did."""

    released: bool
    """False: this grant had ended before."""
    waiting: Waiters = ()
    """Who waits for it, in their order: to be notified once this is committed (`notify`)."""


def release(connection: Connection, grant: Grant, *, lock_wait: float = 5.0) -> Release:
    """End ``grant``, if it has not ended: name, token *and* holder must match (rule 6). The token
    stays (rule 5).

    Waits up to ``lock_wait`` seconds for transactions that are fenced with this grant.
    """
    return releasing(grant, lock_wait)(connection)


def releasing(grant: Grant, lock_wait: float) -> Call[Release]:
    """Return the call that is `release`."""
    values = {"of_name": grant.name, "of_token": grant.token, "of_holder": grant.holder, "lock_wait": lock_wait}
    return Call(_RELEASE, values, _released)


def _released(rows: Rows) -> Release:
    return Release(released=True, waiting=parse_waiters(*rows[0])) if rows else Release(released=False)


_RELEASE = Statement(
    update(lease)
    .where(
        lease.c.name == bindparam("of_name"),
        lease.c.token == bindparam("of_token"),
        lease.c.holder == bindparam("of_holder"),
        lock_timeout("lock_wait"),
    )
    .values(_ENDED)
    .returning(lease.c.waiters, seconds_of(clock()))
)


def release_all(connection: Connection, holder: str, besides: Collection[str] = ()) -> dict[Grant, Waiters]:
    """End what ``holder`` has besides these names, in one statement; return
    what was ended, and who waits for each.

    Ends a few thousand at once, so that it is soon over, and passes over rows that another
    transaction has locked: when it ends nothing, the rest is locked.
    """
    mine = lease.c.holder == holder
    unlocked = (
        select(lease.c.name)
        .where(mine, ~any_of(lease.c.name, _json(besides)))
        .order_by(lease.c.name)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
        .cte("unlocked")
    )
    rows = connection.execute(
        update(lease)
        .where(mine, lease.c.name.in_(select(unlocked.c.name)))
        .values(_ENDED)
        .returning(lease.c.name, lease.c.token, lease.c.waiters, seconds_of(clock()))
    )
    return {Grant(name, token, holder): parse_waiters(waiters, at) for name, token, waiters, at in rows}


def settle(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are stale, and return them; waits for no row (rule 18)."""
    return _end(connection, grants, stale())


def end_dead(connection: Connection, grants: Iterable[Grant]) -> list[Grant]:
    """End those of ``grants`` that are still in force, stale or not: only for holders that are
    proven dead, and their work with them (rule 18).
    """
    return _end(connection, grants)


def _end(connection: Connection, grants: Iterable[Grant], *where: ColumnElement[bool]) -> list[Grant]:
    wanted = list(grants)
    if not wanted:
        return []
    names = any_of(lease.c.name, _json(grant.name for grant in wanted))
    exactly = any_of(_KEY, _json(f"{grant.name}/{grant.token}/{grant.holder}" for grant in wanted))
    ours = select(lease.c.name, lease.c.token, lease.c.holder).where(names, exactly, *where)
    locked = connection.execute(ours.order_by(lease.c.name).with_for_update(skip_locked=True))
    found = {Grant(name, token, holder) for name, token, holder in locked}
    ended = [grant for grant in wanted if grant in found]
    if ended:
        locked_names = any_of(lease.c.name, _json(grant.name for grant in ended))
        connection.execute(update(lease).where(locked_names).values(_ENDED))
    return ended


_KEY = lease.c.name + "/" + cast(lease.c.token, Text) + "/" + lease.c.holder
"""The whole grant of a row, as a string: the row of another one must not even be locked, as its holder would wait."""


def _json(values: Iterable[str]) -> str:
    """Return strings as one parameter: a statement takes a limited number of them."""
    return json.dumps(sorted(set(values)))
