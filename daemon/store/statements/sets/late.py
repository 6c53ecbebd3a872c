"""The runs that are late to finish: past their deadline and not over, told once."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Row, and_, case, or_, select, type_coerce, update

from lease.database.dialects import now, seconds_between

from ....states import LONG_LEVELS, LongLevel
from ...called import present_name
from ...tables import run, schedule
from ..acting.cancel import marked
from ..dialects import MOMENT, definition_with, running, same_schedule, unfinished

MOST = 100
"""So many are found at a time; others are found the next time."""


def take(connection: Connection, application: str) -> list[Row[Any]]:
    """Mark the runs that are late to finish and not marked yet, but for those that are to end, and those that
    another transaction has locked; return (id, schedule, state, finish_by) of each.
    """
    is_late = (run.c.finish_by.is_not(None), run.c.finish_by < MOMENT, run.c.late_at.is_(None), ~marked())
    late = (
        select(run.c.id)
        .where(run.c.application == application, unfinished(), *is_late)
        .order_by(run.c.finish_by)
        .limit(MOST)
        .with_for_update(skip_locked=True, key_share=True)
    )
    told = update(run).where(run.c.id.in_(late.scalar_subquery())).values(late_at=now())
    found = connection.execute(told.returning(run.c.id, run.c.schedule, run.c.state, run.c.finish_by))
    return sorted(found, key=lambda row: (row.finish_by, row.id))


def is_late_to_finish() -> ColumnElement[bool]:
    """Return the condition that a run did not succeed by its deadline; not of one skipped, cancelled or marked."""
    until = case((run.c.state == "succeeded", run.c.finished_at), else_=now())
    goes_on = or_(~marked(), run.c.finished_at.is_not(None))
    asked = and_(run.c.finish_by.is_not(None), run.c.state.not_in(["skipped", "cancelled"]), goes_on)
    return type_coerce(and_(asked, run.c.finish_by < until), Boolean)


def read_long(connection: Connection, ids: Collection[int], holder: str) -> list[Row[Any]]:
    """Return (id, application, schedule, key, running_for, told_long, definition) of those of the runs at a replica."""
    query = select(
        run.c.id,
        run.c.application,
        present_name(schedule).label("schedule"),
        run.c.schedule.label("key"),
        seconds_between(run.c.started_at, now()).label("running_for"),
        run.c.told_long,
        definition_with("long").label("definition"),
    ).join(schedule, same_schedule(schedule, run))
    return list(connection.execute(query.where(run.c.id.in_(ids), running(), run.c.holder == holder)))


def mark_long(connection: Connection, levels: Mapping[int, LongLevel], holder: str) -> list[int]:
    """Record up to which level each of these runs is told, but for those that another transaction has locked, or that
    this replica no longer executes; return the ids of the others.
    """
    level = case({run_id: 1 + LONG_LEVELS.index(level) for run_id, level in levels.items()}, value=run.c.id, else_=0)
    mine = and_(run.c.id.in_(levels), running(), run.c.holder == holder)
    free = select(run.c.id).where(mine).with_for_update(skip_locked=True, key_share=True)
    told = update(run).where(run.c.id.in_(free.scalar_subquery())).values(told_long=level)
    return list(connection.scalars(told.returning(run.c.id)))
