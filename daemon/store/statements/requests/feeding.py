"""The statements that feed the runs of backfills to their schedules, a few at a time and behind all others (rule 23).

A backfill is open until the last of its runs has its place; few are, and an index has them alone.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Integer, Row, and_, exists, func, or_, select, update

from lease.database.dialects import now

from ...tables import backfill, run
from ..dialects import PENDING, RUNNING, among, among_keys, among_these, unfinished
from .placing import placed, unplaced

MOST_FED = 100
"""The most backfills that one transaction feeds."""

_own, _other = run.alias("own"), run.alias("other")
_of_backfill = _own.c.backfill == backfill.c.id
_left = exists().where(
    _of_backfill, _own.c.state == PENDING, _own.c.place_at.is_not(None), _own.c.available_at.is_(None)
)


def _count(*where: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count(type_=Integer)).select_from(_own).where(_of_backfill, *where).scalar_subquery()


_at_work = _count(_own.c.state == RUNNING) + _count(_own.c.state == PENDING, _own.c.place_at.is_(None))
_others = exists().where(
    _other.c.application == backfill.c.application,
    _other.c.schedule == backfill.c.schedule,
    unfinished(_other),
    placed(_other),
    _other.c.backfill.is_distinct_from(backfill.c.id),
)


def is_open() -> ColumnElement[bool]:
    """Return the condition that runs of a backfill may still wait for their places, as the index has it."""
    return and_(backfill.c.placed_at.is_(None), backfill.c.cancelled_at.is_(None))


def may_feed() -> ColumnElement[bool]:
    """Return the condition that something is to be done for an open backfill: its next run may take its place, because
    fewer are unfinished than may be and no other run of the schedule is; or none is left, and it is to be closed.
    """
    has_turn = and_(_at_work < backfill.c.at_most, ~_others)
    return and_(is_open(), backfill.c.paused_at.is_(None), or_(~_left, has_turn))


def first_to_feed(application: ColumnElement[str], but: BindParameter[list[str]]) -> ColumnElement[str | None]:
    """Return the schedule of the first backfill for which something is to be done, of all ``but`` for some; else NULL."""
    query = select(backfill.c.schedule).where(
        backfill.c.application == application, may_feed(), ~among_these(backfill.c.schedule, but)
    )
    return query.order_by(backfill.c.id).limit(1).scalar_subquery()


def to_feed(
    connection: Connection,
    application: str,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[Row[Any]]:
    """Return the first backfills for which something is to be done (id, schedule, and how many runs ``may_start``), of
    all schedules ``but`` for some, or of those of ``names``.
    """
    query = select(backfill.c.id, backfill.c.schedule, (backfill.c.at_most - _at_work).label("may_start")).where(
        backfill.c.application == application,
        may_feed(),
        ~among(backfill.c.schedule, but) if names is None else among(backfill.c.schedule, names),
    )
    return list(connection.execute(query.order_by(backfill.c.id).limit(MOST_FED)))


def next_runs(connection: Connection, backfill_id: int, limit: int) -> list[int]:
    """Return the first runs of a backfill that have no place yet, by their instants."""
    query = select(run.c.id).where(run.c.backfill == backfill_id, run.c.state == PENDING, unplaced())
    return list(connection.scalars(query.order_by(run.c.scheduled_for, run.c.id).limit(limit)))


def close(connection: Connection, ids: Iterable[int]) -> None:
    """Record of these backfills, whose schedules are locked, that all of their runs have their places, if so it is."""
    which = (among_keys((backfill.c.id,), ids), is_open(), ~_left)
    connection.execute(update(backfill).where(*which).values(placed_at=now()))


def at_work(connection: Connection, application: str, names: Collection[str]) -> set[str]:
    """Return those of the schedules, which must be locked, that have an unfinished run of a backfill in its place."""
    mine = (run.c.application == application, among(run.c.schedule, names), unfinished(), placed())
    return set(connection.scalars(select(run.c.schedule).where(*mine, run.c.backfill.is_not(None)).distinct()))
