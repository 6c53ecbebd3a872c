"""The grant of several names: those that are free or stale and whose turn it is, each under its
next token (rules 4 and 5).
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Text, and_, bindparam, func, null, or_, select, text, update

from ..database.backend import backend_of
from ..database.dialects import (
    array_of,
    clock,
    durably_committed,
    insert_missing,
    later,
    now,
    this_boot,
    uptime,
    without_first,
)
from ..database.held.statement import Call, Rows, Statement
from ..model import Grant
from ..schema import free_or_stale, lease, named
from ..waiters import PLACE, Waiter, ahead_of, beginning_with, behind, format_waiters, joined, may_take
from .queues import lock_queues, write_queue

_CLAIM = text(
    "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE pg_try_advisory_xact_lock(528304792, hashtext(name))"
)


def grant(
    connection: Connection,
    names: Sequence[str],
    holder: str,
    ttl: float,
    *,
    label: str | None = None,
    slot_of: str | None = None,
    queue: bool = False,
    lock_wait: float | None = None,
) -> list[Grant]:
    """Grant to ``holder`` those of ``names`` that are free or stale and whose turn it is, each under
    its next token (rules 4 and 5).

    Waits for no row: those that are locked, live or fenced are passed over. Needs one statement when the rows exist,
    nobody waits for them, and all are granted. Grants each name at most once. With ``queue``, ``holder`` gets or keeps
    a place among those who wait for what it was not granted (`lease.waiters`); with ``lock_wait`` too, it waits so many
    seconds for a row that is locked for a moment (a greedy client locks it again and again).

    ``slot_of``: the name of the lock of which these are slots (``api``, ``api/2`` …): the next token is
    then above those of all slots that it has or had, so that whoever goes on under another one has a
    higher one. It limits nothing: the caller chooses how many names there are.
    """
    wanted = sorted(set(names))
    granted = _grant_free(connection, wanted, holder, ttl, label, slot_of)
    if len(granted) == len(wanted):
        return granted
    left = _left(wanted, granted)
    present = _present(connection, left)
    if missing := [name for name in left if name not in present]:
        _insert_missing(connection, missing)
        granted += _grant_free(connection, missing, holder, ttl, label, slot_of)
    left = [name for name in _left(left, granted) if queue or present.get(name)]
    return granted + _grant_in_turn(connection, left, holder, ttl, label, slot_of, queue=queue, lock_wait=lock_wait)


def granting(name: str, holder: str, ttl: float, *, label: str | None = None) -> Call[Grant | None]:
    """Return the call that grants ``name`` to ``holder`` if it is free or stale, and nobody waits for
    it, or ``holder`` first; else None, and the rest is for `grant`.
    """
    values = {"for_holder": holder, "for_label": label, "ttl": ttl, "first_is_holder": beginning_with(holder)}
    return Call(_GRANT_ONE, {"of_name": name, **values}, partial(_only_grant, holder))


def _only_grant(holder: str, rows: Rows) -> Grant | None:
    if not rows:
        return None
    name, token = rows[0]
    return Grant(name, token, holder)


def _left(wanted: Sequence[str], granted: Iterable[Grant]) -> list[str]:
    done = {one.name for one in granted}
    return [name for name in wanted if name not in done]


def _present(connection: Connection, names: Sequence[str]) -> dict[str, bool]:
    """Return those of ``names`` that have a row, and whether anyone waits for them."""
    if not names:
        return {}
    return {name: bool(awaited) for name, awaited in _PRESENT(connection, {"names": array_of(names)})}


def _grant_free(  # noqa: PLR0917 - who is granted what
    connection: Connection, names: Sequence[str], holder: str, ttl: float, label: str | None, slot_of: str | None
) -> list[Grant]:
    """Grant those for which nobody waits, or for which ``holder`` is the first who does."""
    if len(names) == 1 and slot_of is None:
        granted = granting(names[0], holder, ttl, label=label)(connection)
        return [] if granted is None else [granted]
    statement = _GRANT_FREE_SLOT if slot_of is not None else _GRANT_FREE
    return list(_grants(statement(connection, _values_of_all(names, holder, ttl, label, slot_of)), holder))


def _values_of_all(
    names: Sequence[str], holder: str, ttl: float, label: str | None, slot_of: str | None
) -> dict[str, Any]:
    slots = {} if slot_of is None else {"slot_of": slot_of, "from": f"{slot_of}/", "before": f"{slot_of}0"}
    values = {"for_holder": holder, "for_label": label, "ttl": ttl, "first_is_holder": beginning_with(holder)}
    return {**slots, "names": array_of(names), **values}


def _grants(rows: Rows, holder: str) -> Iterator[Grant]:
    return (Grant(name, token, holder) for name, token in rows)


def _grant_in_turn(  # noqa: PLR0917 - who is granted what
    connection: Connection,
    names: Sequence[str],
    holder: str,
    ttl: float,
    label: str | None,
    slot_of: str | None,
    *,
    queue: bool,
    lock_wait: float | None,
) -> list[Grant]:
    """Grant those of ``names`` whose turn it is, and queue ``holder`` for the others if it is to be."""
    granted = []
    for found in lock_queues(connection, names, lock_wait=lock_wait) if names else []:
        taken: list[Grant] = []
        if not found.is_live and may_take(ahead_of(holder, found.waiting), found.free_for):
            left = format_waiters(behind(found.waiting, holder))
            values = {**_values_of_all([found.name], holder, ttl, label, slot_of), "waiters_left": left}
            statement = _GRANT_IN_TURN_SLOT if slot_of is not None else _GRANT_IN_TURN
            taken = list(_grants(statement(connection, values), holder))
        if queue and not taken:
            place = Waiter(holder, label or "", found.moment + PLACE)
            write_queue(connection, found.name, joined(found.waiting, place))
        granted += taken
    return granted


def _insert_missing(connection: Connection, names: Sequence[str]) -> None:
    if rows := [{"name": name} for name in _unclaimed(connection, names)]:
        connection.execute(insert_missing(lease), rows)


def _unclaimed(connection: Connection, names: Sequence[str]) -> Sequence[str]:
    """Return those of ``names`` that no other transaction is inserting: ON CONFLICT DO NOTHING
    would wait for it (rule 4).
    """
    if backend_of(connection).has_one_writer:
        return names
    return connection.scalars(_CLAIM, {"names": list(names)}).all()


_GRANTED = {
    "holder": bindparam("for_holder"),
    "label": bindparam("for_label"),
    "boot": this_boot(),
    "uptime": uptime(),
    "expires_at": later(clock(), bindparam("ttl", type_=Double())),
    "granted_at": now(),
    "renewed_at": now(),
    "released_at": null(),
}


def _granting(
    where: ColumnElement[bool], waiters: ColumnElement[Any], last_token: ColumnElement[Any] = lease.c.token
) -> Statement:
    free = select(lease.c.name).where(named, where).order_by(lease.c.name).with_for_update(skip_locked=True).cte("free")
    return _updating(waiters, last_token, lease.c.name.in_(select(free.c.name)), where)


def _updating(waiters: ColumnElement[Any], last_token: ColumnElement[Any], *where: ColumnElement[bool]) -> Statement:
    return Statement(
        update(lease)
        .where(*where, durably_committed())
        .values({**_GRANTED, "token": last_token + 1, "waiters": waiters})
        .returning(lease.c.name, lease.c.token)
    )


_first_is_holder = bindparam("first_is_holder", type_=Text())
_is_free = free_or_stale() & or_(
    lease.c.waiters.is_(None),
    func.substr(lease.c.waiters, 1, func.length(_first_is_holder)) == _first_is_holder,
)
_slot = lease.alias("slot")
_slots = or_(
    _slot.c.name == bindparam("slot_of"),
    and_(_slot.c.name >= bindparam("from"), _slot.c.name < bindparam("before")),  # "/" to "0"
)
_highest = select(func.max(_slot.c.token)).where(_slots)
_without_first = without_first(lease.c.waiters)
_GRANT_FREE = _granting(_is_free, _without_first)
_GRANT_FREE_SLOT = _granting(_is_free, _without_first, _highest.scalar_subquery())
_of_name = lease.c.name == bindparam("of_name")
_free = select(lease.c.name).where(_of_name, _is_free).with_for_update(skip_locked=True).cte("free")
_GRANT_ONE = _updating(_without_first, lease.c.token, lease.c.name == select(_free.c.name).scalar_subquery(), _is_free)
_GRANT_IN_TURN = _granting(free_or_stale(), bindparam("waiters_left"))
_GRANT_IN_TURN_SLOT = _granting(free_or_stale(), bindparam("waiters_left"), _highest.scalar_subquery())
_PRESENT = Statement(select(lease.c.name, lease.c.waiters.is_not(None)).where(named))
