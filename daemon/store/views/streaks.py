"""How many runs of a schedule failed since one last succeeded, and which schedules missed their times and never ran."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, literal, select
from sqlalchemy.sql.elements import literal_column

from ..called import present_name
from ..schedule_key import ScheduleKey
from ..statements.dialects import among_keys, newest_first
from ..tables import run, schedule
from .names import Called

MOST_FAILURES = 1_000
"""A streak of failures is counted up to this."""
_LOOKED_AT = 2_000
"""So many of the latest runs are searched for a success, and for failures after it."""


def read_streaks(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many runs of each of these schedules failed since one last succeeded."""
    of, failed = run.alias("of"), run.alias("failed")
    ours = and_(of.c.application == schedule.c.application, of.c.schedule == schedule.c.name)
    newest = select(of.c.id, of.c.state).where(ours).order_by(of.c.id.desc()).limit(_LOOKED_AT).correlate(schedule)
    looked_at = newest.subquery("looked_at")
    succeeded = select(looked_at.c.id).where(looked_at.c.state == "succeeded").limit(1)
    succeeded = newest_first(connection, succeeded, looked_at.c.id)
    success = func.coalesce(succeeded.correlate(schedule).scalar_subquery(), 0)
    theirs = and_(failed.c.application == schedule.c.application, failed.c.schedule == schedule.c.name)
    since = select(failed.c.state).where(theirs, failed.c.id > success).order_by(failed.c.id.desc()).limit(_LOOKED_AT)
    later = since.correlate(schedule).subquery("later")
    counted = select(literal(1)).where(later.c.state == "failed").limit(MOST_FAILURES).subquery("failures")
    return _of_each(connection, schedules, select(func.count()).select_from(counted))


def read_never_run(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, datetime]:
    """Return which of these schedules, of which none ever ran, missed a scheduled time: the last one."""
    ours = and_(run.c.application == schedule.c.application, run.c.schedule == schedule.c.name)
    missed = select(func.max(run.c.scheduled_for)).where(
        ours, run.c.state == literal_column("'skipped'"), run.c.reason == "missed"
    )
    found = _of_each(connection, schedules, missed)
    return {key: at for key, at in found.items() if at is not None}


def _of_each(connection: Connection, schedules: Collection[ScheduleKey], value: Select[Any]) -> dict[ScheduleKey, Any]:
    """Return a value of each of these schedules."""
    if not schedules:
        return {}
    names = Called(connection)
    keys = sorted((application, names.key(application, name)) for application, name in schedules)
    of_these = among_keys((schedule.c.application, schedule.c.name), keys)
    asked = value.correlate(schedule).scalar_subquery()
    rows = connection.execute(select(schedule.c.application, present_name(schedule), asked).where(of_these))
    return {(application, name): found for application, name, found in rows}
