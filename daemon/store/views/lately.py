"""What a schedule has done lately: its last failure, and what its scheduled times came to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, literal, select
from sqlalchemy.sql.elements import literal_column

from lease.database.dialects import seconds_between

from ...states import RunCause, RunState
from ..schedule_key import ScheduleKey
from ..statements.dialects import SCHEDULED, among_keys
from ..tables import job_run, run
from .history import cause_of_run
from .output import tails

MOST_HAPPENED = 2_000
"""So many of the latest scheduled times are looked at."""


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last run of a schedule that failed, and the job that failed in it."""

    run_id: int
    finished_at: datetime
    reason: str | None
    job: str | None
    """None: it failed without any, or they are not known any more."""
    attempt: int | None
    exit_status: int | None
    exit_signal: int | None
    printed: str
    """The end of what that job printed."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a scheduled time came to; one that was skipped may stand for others up to ``last``."""

    run_id: int
    scheduled_for: datetime
    last: datetime
    state: RunState
    reason: str | None
    count: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run of a strip: when it was due, and why it was made."""

    scheduled_for: datetime
    cause: RunCause


def last_failure(connection: Connection, key: ScheduleKey) -> LastFailure | None:
    """Return the last run of a schedule that failed; None if none has."""
    failed = and_(_of(key), run.c.state == literal_column("'failed'"))
    last = select(run.c.id, run.c.finished_at, run.c.reason).where(failed).order_by(run.c.finished_at.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    run_id = 0 if row is None else row.id
    said = (job_run.c.id, job_run.c.job, job_run.c.attempt, job_run.c.exit_status, job_run.c.exit_signal)
    ended = and_(job_run.c.run_id == run_id, job_run.c.state == "failed")
    job = connection.execute(select(*said).where(ended).order_by(job_run.c.id.desc()).limit(1)).one_or_none()
    printed = tails(connection, run_id)
    if row is None:
        return None
    of_run = (run_id, row.finished_at, row.reason)
    if job is None:
        return LastFailure(*of_run, None, None, None, None, "")
    return LastFailure(*of_run, job.job, job.attempt, job.exit_status, job.exit_signal, printed.get(job.id, ""))


def read_happened(connection: Connection, key: ScheduleKey, since: datetime) -> list[Happened]:
    """Return what the scheduled times of a schedule after ``since`` came to, the latest first, at most `MOST_HAPPENED`."""
    took = seconds_between(run.c.started_at, run.c.finished_at)
    until = func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for, type_=run.c.scheduled_for.type)
    query = (
        select(run.c.id, run.c.scheduled_for, until, run.c.state, run.c.reason, run.c.count, took)
        .where(_of(key), run.c.trigger == SCHEDULED, run.c.scheduled_for >= literal(since, run.c.scheduled_for.type))
        .order_by(run.c.scheduled_for.desc())
        .limit(MOST_HAPPENED)
    )
    return [Happened(*row) for row in connection.execute(query)]


def read_due(connection: Connection, run_ids: Collection[int]) -> dict[int, DueRun]:
    """Return for when these runs were scheduled, and why they were made."""
    query = select(run.c.id, run.c.scheduled_for, cause_of_run()).where(among_keys((run.c.id,), run_ids))
    return {run_id: DueRun(*found) for run_id, *found in connection.execute(query)}


def _of(key: ScheduleKey) -> ColumnElement[bool]:
    return and_(run.c.application == key[0], run.c.schedule == key[1])
