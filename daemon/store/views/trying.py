"""The runs that fail again and again, and are not over: their retries go on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from lease.database.dialects import now

from ...text import last_line
from ..called import present_name
from ..statements.dialects import unfinished
from ..tables import job_run, run
from .why import last_error

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
    later = run.alias("later")
    skipped = (
        select(func.coalesce(func.sum(later.c.count), 0))
        .where(
            *(later.c.application == run.c.application, later.c.schedule == run.c.schedule),
            *(later.c.state == "skipped", later.c.reason == "overlap", later.c.finished_at >= run.c.created_at),
            later.c.overlapped == run.c.id,
        )
        .correlate(run)
        .scalar_subquery()
    )
    of_run: tuple[Any, ...] = (run.c.id, run.c.application, present_name(run), jobs.c.job, jobs.c.failures)
    retry_at = case((and_(run.c.state == "pending", run.c.available_at > now()), run.c.available_at))
    rows = connection.execute(
        select(*of_run, retry_at, skipped, last_error())
        .select_from(run.join(jobs, jobs.c.run_id == run.c.id))
        .where(or_(jobs.c.failures >= IN_A_ROW, skipped > 0))
        .order_by(run.c.id, jobs.c.failures)
    )
    found = {row[0]: TryingRun(*row[:4], int(row[4]), row[5], int(row[6]), last_line(row[7]) or None) for row in rows}
    return list(found.values())
