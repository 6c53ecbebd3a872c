"""What there is of an application at one moment: what is active of it, paused, and overdue."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, select

from lease.database.dialects import now

from ..tables import run, schedule
from .acting import in_force


@dataclass(frozen=True, slots=True)
class Remaining:
    """The counts of schedules that are not retired, and of runs that are not over."""

    schedules: int
    paused: int
    overdue: int
    due_since: datetime | None
    """The first scheduled time that no replica has planned yet."""
    running: int
    waiting: int


def read_remaining(connection: Connection, application: str) -> Remaining:
    """Return what there is of an application; all zero if the database does not know it."""
    is_due = and_(schedule.c.enabled, schedule.c.next_due <= now())
    of_schedules = select(
        func.count(),
        func.coalesce(func.sum(case((in_force(), 1), else_=0)), 0),
        func.coalesce(func.sum(case((is_due, 1), else_=0)), 0),
        func.min(case((is_due, schedule.c.next_due))),
    ).where(schedule.c.application == application, schedule.c.retired_at.is_(None))
    schedules, paused, overdue, due_since = connection.execute(of_schedules).one()
    of_runs = (
        select(run.c.state, func.count())
        .where(run.c.application == application, run.c.state.in_(("pending", "running")))
        .group_by(run.c.state)
    )
    runs = {row.state: row[1] for row in connection.execute(of_runs)}
    return Remaining(schedules, paused, overdue, due_since, runs.get("running", 0), runs.get("pending", 0))
