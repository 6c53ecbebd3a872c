"""What a schedule has done lately: its last failure, what its scheduled times came to, and the strip of its last runs."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, and_, case, func, literal, or_, select

from lease.database.dialects import now, seconds_between

from ...states import RunCause, RunState
from ..statements.dialects import (
    FAILED,
    SCHEDULED,
    among_keys,
    as_json_array,
    cause_of_run,
    columns,
    of_schedule,
    same_schedule,
)
from ..tables import Reader, ScheduleKey, job_run, run, schedule
from .names import of_each
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
    failed = (*of_schedule(run, *key), run.c.state == FAILED)
    last = select(run.c.id, run.c.finished_at, run.c.reason).where(*failed).order_by(run.c.finished_at.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return None
    said = columns(job_run, "id job attempt exit_status exit_signal")
    ended = and_(job_run.c.run_id == row.id, job_run.c.state == "failed")
    job = connection.execute(select(*said).where(ended).order_by(job_run.c.id.desc()).limit(1)).one_or_none()
    of_run = (row.id, row.finished_at, row.reason)
    if job is None:
        return LastFailure(*of_run, None, None, None, None, "")
    printed = tails(connection, row.id).get(job.id, "")
    return LastFailure(*of_run, job.job, job.attempt, job.exit_status, job.exit_signal, printed)


def read_happened(connection: Connection, key: ScheduleKey, since: datetime) -> list[Happened]:
    """Return what the scheduled times of a schedule after ``since`` came to, the latest first, at most `MOST_HAPPENED`."""
    took = seconds_between(run.c.started_at, run.c.finished_at)
    until = func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for, type_=run.c.scheduled_for.type)
    reader = Reader(Happened, run, run_id=run.c.id, last=until, seconds=took)
    query = (
        select(*reader.columns)
        .where(
            *of_schedule(run, *key),
            run.c.trigger == SCHEDULED,
            run.c.scheduled_for >= literal(since, run.c.scheduled_for.type),
        )
        .order_by(run.c.scheduled_for.desc())
        .limit(MOST_HAPPENED)
    )
    return list(map(reader.read, connection.execute(query)))


def read_due(connection: Connection, run_ids: Collection[int]) -> dict[int, DueRun]:
    """Return for when these runs were scheduled, and why they were made."""
    reader = Reader(DueRun, run, cause=cause_of_run())
    query = select(*reader.columns, run.c.id).where(among_keys(run.c.id, run_ids))
    return {row.id: reader.read(row) for row in connection.execute(query)}


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
    crashed_at = func.coalesce(job_run.c.work_ended_at, job_run.c.finished_at, type_=now.type)
    crashed = (
        select(func.max(seconds_between(run.c.started_at, crashed_at)))
        .where(job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
        .correlate(run)
        .scalar_subquery()
    )
    may_have_crashed = or_(run.c.attempt > 1, and_(run.c.attempt > 0, run.c.state == "pending"))
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
        .where(same_schedule(run))
        .order_by(run.c.id.desc())
        .limit(latest)
        .correlate(schedule)
        .subquery("newest")
    )
    found = of_each(connection, schedules, select(as_json_array(*newest.c)))
    return {
        key: tuple(sorted((StripRun(*one) for one in json.loads(runs or "[]")), key=attrgetter("run_id")))
        for key, runs in found.items()
    }
