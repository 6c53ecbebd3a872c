"""How many runs of a schedule failed since one last succeeded, which schedules missed their times and never ran, and
the runs that are being tried again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from lease.database.dialects import now

from ...text import last_line
from ..called import ScheduleKey, present_name
from ..reader import Reader
from ..statements.dialects import SKIPPED, newest_first, of_schedule, unfinished
from ..tables import job_run, run, schedule
from .names import of_each
from .why import last_error

MOST_FAILURES = 1_000
"""A streak of failures is counted up to this."""
_of, _failed, _later = run.alias("of"), run.alias("failed"), run.alias("later")
_LOOKED_AT = 2_000
"""So many of the latest runs are searched for a success, and for failures after it."""


def read_streaks(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many runs of each of these schedules failed since one last succeeded."""
    newest = (
        select(_of.c.id, _of.c.state)
        .where(of_schedule(_of))
        .order_by(_of.c.id.desc())
        .limit(_LOOKED_AT)
        .correlate(schedule)
    )
    looked_at = newest.subquery("looked_at")
    succeeded = select(looked_at.c.id).where(looked_at.c.state == "succeeded").limit(1)
    succeeded = newest_first(connection, succeeded, looked_at.c.id)
    success = func.coalesce(succeeded.correlate(schedule).scalar_subquery(), 0)
    since = select(_failed.c.state).where(of_schedule(_failed), _failed.c.id > success).order_by(_failed.c.id.desc())
    later = since.limit(_LOOKED_AT).correlate(schedule).subquery("later")
    counted = select(literal(1)).where(later.c.state == "failed").limit(MOST_FAILURES).subquery("failures")
    return of_each(connection, schedules, select(func.count()).select_from(counted))


def read_never_run(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, datetime]:
    """Return which of these schedules, of which none ever ran, missed a scheduled time: the last one."""
    missed = (run.c.state == SKIPPED, run.c.reason == "missed")
    found = of_each(connection, schedules, select(func.max(run.c.scheduled_for)).where(of_schedule(run), *missed))
    return {key: at for key, at in found.items() if at is not None}


IN_A_ROW = 3
"""A job of a run that has failed so often is a problem, even if a retry is still to come."""


@dataclass(frozen=True, slots=True)
class TryingRun:
    """A run that is not over, of which a job has failed, and has not succeeded."""

    run_id: int
    application: str
    schedule: str
    job: str
    failures: int
    """How many attempts of the job have failed in a row."""
    retry_at: datetime | None
    """When it may be tried again; None: it is being tried, or will be as soon as there is room."""
    skipped: int
    """The later scheduled times that were skipped because it is not over."""
    error: str | None
    """The last line of the error with which the last attempt failed."""


def read_trying(connection: Connection, application: ColumnElement[bool]) -> list[TryingRun]:
    """Return those of which an attempt failed three times in a row, or for which scheduled times were skipped since an
    attempt failed; of each run the job that failed most often.
    """
    failures = func.sum(case((job_run.c.state == "failed", 1), else_=0))
    successes = func.sum(case((job_run.c.state == "succeeded", 1), else_=0))
    jobs = (
        select(job_run.c.run_id, job_run.c.job, failures.label("failures"))
        .select_from(run.join(job_run, job_run.c.run_id == run.c.id))
        .where(unfinished(), run.c.attempt > 0, application)
        .group_by(job_run.c.run_id, job_run.c.job)
        .having(and_(failures > 0, successes == 0))
        .subquery("jobs")
    )
    skipped = (
        select(func.coalesce(func.sum(_later.c.count), 0))
        .where(
            *(_later.c.application == run.c.application, _later.c.schedule == run.c.schedule),
            *(_later.c.state == "skipped", _later.c.reason == "overlap", _later.c.finished_at >= run.c.created_at),
            _later.c.overlapped == run.c.id,
        )
        .correlate(run)
        .scalar_subquery()
    )
    reader = Reader(
        TryingRun,
        run,
        run_id=run.c.id,
        schedule=present_name(run),
        job=jobs.c.job,
        retry_at=case((and_(run.c.state == "pending", run.c.available_at > now()), run.c.available_at)),
    )
    more = (jobs.c.failures.label("failures"), skipped.label("skipped"), last_error().label("last_error"))
    rows = connection.execute(
        select(*reader.columns, *more)
        .select_from(run.join(jobs, jobs.c.run_id == run.c.id))
        .where(or_(jobs.c.failures >= IN_A_ROW, skipped > 0))
        .order_by(run.c.id, jobs.c.failures)
    )
    read = (
        reader.read(row, failures=int(row.failures), skipped=int(row.skipped), error=last_line(row.last_error) or None)
        for row in rows
    )
    return list({one.run_id: one for one in read}.values())
