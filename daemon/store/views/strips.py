"""The last runs of schedules, each in a few values: what a strip of bars shows."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, or_, select

from lease.database.dialects import now, seconds_between

from ...states import RunState
from ..called import present_name
from ..schedule_key import ScheduleKey
from ..statements.dialects import among_keys, as_json_array
from ..tables import job_run, run, schedule
from .names import Called


@dataclass(frozen=True, slots=True)
class StripRun:
    """A run, or the scheduled times that one row stands for."""

    state: RunState
    reason: str | None = None
    """Why it was skipped."""
    seconds: float | None = None
    """How long it took, or has taken so far; None: it never started."""
    crashed: float | None = None
    """So many of them had passed when its last attempt crashed; None: none has."""
    count: int = 1
    """So many scheduled times are recorded in it."""
    run_id: int = 0


def read_strips(
    connection: Connection, schedules: Collection[ScheduleKey], latest: int = 30
) -> dict[ScheduleKey, tuple[StripRun, ...]]:
    """Return the latest runs of each of these schedules, the oldest first, those that were skipped too."""
    if not schedules:
        return {}
    names = Called(connection)
    keys = sorted((application, names.key(application, name)) for application, name in schedules)
    of_these = among_keys((schedule.c.application, schedule.c.name), keys)
    crashed_at = func.coalesce(job_run.c.work_ended_at, job_run.c.finished_at, type_=now.type)
    crashed = (
        select(func.max(seconds_between(run.c.started_at, crashed_at)))
        .where(job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
        .correlate(run)
        .scalar_subquery()
    )
    may_have_crashed = or_(run.c.attempt > 1, and_(run.c.attempt > 0, run.c.state == "pending"))
    ours = and_(run.c.application == schedule.c.application, run.c.schedule == schedule.c.name)
    # It reads the index on (application, schedule, id) from its end.
    newest = (
        select(
            run.c.state,
            case((run.c.state == "skipped", run.c.reason)).label("reason"),
            seconds_between(run.c.started_at, func.coalesce(run.c.finished_at, now(), type_=now.type)).label("seconds"),
            case((may_have_crashed, crashed)).label("crashed"),
            run.c.count,
            run.c.id,
        )
        .where(ours)
        .order_by(run.c.id.desc())
        .limit(latest)
        .correlate(schedule)
        .subquery("newest")
    )
    runs = select(as_json_array(*newest.c)).correlate(schedule).scalar_subquery()
    rows = connection.execute(select(schedule.c.application, present_name(schedule), runs).where(of_these))
    return {
        (application, name): tuple(sorted((StripRun(*one) for one in json.loads(found or "[]")), key=_id))
        for application, name, found in rows
    }


def _id(one: StripRun) -> int:
    return one.run_id
