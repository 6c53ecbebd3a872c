"""The runs that take long: told once for each level, by the replica that executes them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Row, and_, case, select, update

from lease.database.dialects import now, seconds_between

from ....states import LONG_LEVELS, LongLevel
from ...called import present_name
from ...tables import run, schedule
from ..dialects import definition_with, running


def read(connection: Connection, ids: Collection[int], holder: str) -> list[Row[Any]]:
    """Return (id, application, schedule, key, running_for, told_long, definition) of those of these runs that a replica
    executes.
    """
    ours = and_(schedule.c.application == run.c.application, schedule.c.name == run.c.schedule)
    query = select(
        run.c.id,
        run.c.application,
        present_name(schedule).label("schedule"),
        run.c.schedule.label("key"),
        seconds_between(run.c.started_at, now()).label("running_for"),
        run.c.told_long,
        definition_with("long").label("definition"),
    ).join(schedule, ours)
    return list(connection.execute(query.where(run.c.id.in_(ids), running(), run.c.holder == holder)))


def mark(connection: Connection, levels: Mapping[int, LongLevel], holder: str) -> list[int]:
    """Record up to which level each of these runs is told, but for those that another transaction has locked, or that
    this replica no longer executes; return the ids of the others.
    """
    level = case({run_id: 1 + LONG_LEVELS.index(level) for run_id, level in levels.items()}, value=run.c.id, else_=0)
    mine = and_(run.c.id.in_(levels), running(), run.c.holder == holder)
    free = select(run.c.id).where(mine).with_for_update(skip_locked=True, key_share=True)
    told = update(run).where(run.c.id.in_(free.scalar_subquery())).values(told_long=level)
    return list(connection.scalars(told.returning(run.c.id)))
