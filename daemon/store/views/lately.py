"""What a schedule has done lately: its last failure, what its scheduled times came to, the strip of its last runs; and its
setbacks: failures in a row, runs tried again and again, what never ran, what did not lately, and what failed, was missed or
came too late since a moment.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, literal, or_, select, union_all

from lease.database.dialects import later, now, seconds_between

from ...states import RunCause, RunState
from ...text import last_line
from ..policies import read_policies
from ..statements import dialects as sql
from ..tables import Reader, ScheduleKey, job_run, present_name, run, schedule
from .names import of_each
from .output import tails
from .why import last_error

_of, _failed, _later, _one = (run.alias(name) for name in ("of", "failed", "later", "one"))
_next, _last = run.alias("next"), run.alias("last")

MOST_HAPPENED = 2_000
"""So many of the latest scheduled times are looked at."""


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The last run of a schedule that failed, and the job that failed in it."""

    run_id: int
    finished_at: datetime
    reason: str | None
    job: str | None = None
    """None: it failed without any, or they are not known any more."""
    attempt: int | None = None
    exit_status: int | None = None
    exit_signal: int | None = None
    printed: str = ""
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
    failed = (*sql.of_schedule(run, *key), run.c.state == sql.FAILED)
    last = select(run.c.id, run.c.finished_at, run.c.reason).where(*failed).order_by(run.c.finished_at.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return None
    said = sql.columns(job_run, "id job attempt exit_status exit_signal")
    ended = and_(job_run.c.run_id == row.id, job_run.c.state == "failed")
    job = connection.execute(select(*said).where(ended).order_by(job_run.c.id.desc()).limit(1)).one_or_none()
    of_run = (row.id, row.finished_at, row.reason)
    if job is None:
        return LastFailure(*of_run)
    printed = tails(connection, row.id).get(job.id, "")
    return LastFailure(*of_run, job.job, job.attempt, job.exit_status, job.exit_signal, printed)


def read_happened(connection: Connection, key: ScheduleKey, since: datetime) -> list[Happened]:
    """Return what the scheduled times of a schedule after ``since`` came to, the latest first, at most `MOST_HAPPENED`."""
    took = seconds_between(run.c.started_at, run.c.finished_at)
    until = func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for, type_=run.c.scheduled_for.type)
    reader = Reader(Happened, run, run_id=run.c.id, last=until, seconds=took)
    since_then = run.c.scheduled_for >= literal(since, run.c.scheduled_for.type)
    query = select(*reader.columns).where(*sql.of_schedule(run, *key), run.c.trigger == sql.SCHEDULED, since_then)
    rows = connection.execute(query.order_by(run.c.scheduled_for.desc()).limit(MOST_HAPPENED))
    return list(map(reader.read, rows))


def read_due(connection: Connection, run_ids: Collection[int]) -> dict[int, DueRun]:
    """Return for when these runs were scheduled, and why they were made."""
    reader = Reader(DueRun, run, cause=sql.cause_of_run)
    query = select(*reader.columns, run.c.id).where(sql.among_keys(run.c.id, run_ids))
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
    abandoned = (job_run.c.run_id == run.c.id, job_run.c.state == "abandoned")
    crashed = select(func.max(seconds_between(run.c.started_at, crashed_at))).where(*abandoned).correlate(run)
    may_have_crashed = or_(run.c.attempt > 1, and_(run.c.attempt > 0, run.c.state == "pending"))
    values = (
        run.c.state,
        case((run.c.state == "skipped", run.c.reason)).label("reason"),
        seconds_between(run.c.started_at, func.coalesce(run.c.finished_at, now(), type_=now.type)).label("seconds"),
        case((may_have_crashed, crashed.scalar_subquery())).label("crashed"),
        run.c.count,
        run.c.id,
    )
    # It reads the index on (application, schedule, id) from its end.
    runs = select(*values).where(sql.same_schedule(run)).order_by(run.c.id.desc()).limit(latest)
    newest = runs.correlate(schedule).subquery("newest")
    found = of_each(connection, schedules, select(sql.as_json_array(*newest.c)))
    return {
        key: tuple(sorted((StripRun(*one) for one in json.loads(runs or "[]")), key=attrgetter("run_id")))
        for key, runs in found.items()
    }


# Its setbacks

MOST_FAILURES = 1_000
"""A streak of failures is counted up to this."""
_LOOKED_AT = 2_000
"""So many of the latest runs are searched for a success, and for failures after it."""


def read_streaks(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many runs of each of these schedules failed since one last succeeded."""
    newest = select(_of.c.id, _of.c.state).where(sql.same_schedule(_of)).order_by(_of.c.id.desc()).limit(_LOOKED_AT)
    looked_at = newest.correlate(schedule).subquery("looked_at")
    succeeded = select(looked_at.c.id).where(looked_at.c.state == "succeeded").limit(1)
    succeeded = sql.newest_first(connection, succeeded, looked_at.c.id)
    success = func.coalesce(succeeded.correlate(schedule).scalar_subquery(), 0)
    since = select(_failed.c.state).where(sql.same_schedule(_failed), _failed.c.id > success)
    later = since.order_by(_failed.c.id.desc()).limit(_LOOKED_AT).correlate(schedule).subquery("later")
    counted = select(literal(1)).where(later.c.state == "failed").limit(MOST_FAILURES).subquery("failures")
    return of_each(connection, schedules, select(func.count()).select_from(counted))


def read_never_run(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, datetime]:
    """Return which of these schedules, of which none ever ran, missed a scheduled time: the last one."""
    missed = (run.c.state == sql.SKIPPED, run.c.reason == "missed")
    found = of_each(connection, schedules, select(func.max(run.c.scheduled_for)).where(sql.same_schedule(run), *missed))
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
        .where(sql.unfinished(), run.c.attempt > 0, application)
        .group_by(job_run.c.run_id, job_run.c.job)
        .having(and_(failures > 0, successes == 0))
        .subquery("jobs")
    )
    overlap = (_later.c.state == "skipped", _later.c.reason == "overlap", _later.c.finished_at >= run.c.created_at)
    skips = select(func.coalesce(func.sum(_later.c.count), 0)).where(sql.same_schedule(_later, run), *overlap)
    skipped = skips.where(_later.c.overlapped == run.c.id).correlate(run).scalar_subquery()
    reader = Reader(
        TryingRun,
        run,
        run_id=run.c.id,
        schedule=present_name(run),
        job=jobs.c.job,
        retry_at=case((and_(run.c.state == "pending", run.c.available_at > now()), run.c.available_at)),
    )
    more = (jobs.c.failures.label("failures"), skipped.label("skipped"), last_error().label("last_error"))
    query = select(*reader.columns, *more).select_from(run.join(jobs, jobs.c.run_id == run.c.id))
    query = query.where(or_(jobs.c.failures >= IN_A_ROW, skipped > 0)).order_by(run.c.id, jobs.c.failures)
    found = {}
    for row in connection.execute(query):
        counts = {"failures": int(row.failures), "skipped": int(row.skipped)}
        found[row.run_id] = reader.read(row, **counts, error=last_line(row.last_error) or None)
    return list(found.values())


MISSED_WITHIN = 24 * 3600.0
"""Seconds for which a missed scheduled time is reported."""
LATEST = 30
"""So many scheduled times show whether a schedule is thinned."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The scheduled times that a schedule left out."""

    missed: int = 0
    """Scheduled times that were recorded as missed in the last 24 hours."""
    missed_as_asked: bool = False
    """`catch_up = "skip"` says so."""
    overlapped: int = 0
    """Of its latest scheduled times, so many were skipped because an earlier run was not over …"""
    latest: int = 0
    """… of so many: 30 at most, 0 if none was skipped for that."""
    median_wait: float | None = None
    """If it is thinned: how many seconds after their scheduled time its runs usually start …"""
    median_seconds: float | None = None
    """… and how long they usually take; None if none has succeeded."""

    @property
    def is_thinned(self) -> bool:
        """More than half of them did not run for it."""
        return self.overlapped > 1 and 2 * self.overlapped > self.latest


def read_left_out(connection: Connection, application: ColumnElement[bool]) -> dict[ScheduleKey, LeftOut]:
    """Return what the schedules left out that left out anything, without those that are retired."""
    skipped = and_(sql.same_schedule(_one), _one.c.state == sql.SKIPPED)
    missed = and_(skipped, _one.c.reason == "missed", _one.c.finished_at > later(sql.MOMENT, -MISSED_WITHIN))
    overlapped = and_(skipped, _one.c.reason == "overlap")
    # No EXISTS: PostgreSQL would first go through all that was ever skipped for that.
    any_skipped, any_missed, any_overlapped = (
        select(literal(1)).select_from(_one).where(which).limit(1).correlate(schedule).scalar_subquery().is_not(None)
        for which in (skipped, missed, overlapped)
    )
    times = select(func.coalesce(func.sum(_one.c.count), 0)).where(missed).correlate(schedule).scalar_subquery()
    called, counts = present_name(schedule).label("called"), _counts().label("counts")
    query = select(schedule.c.application, called, schedule.c.definition, times.label("missed"), counts)
    which = (schedule.c.retired_at.is_(None), application, any_skipped, or_(any_missed, any_overlapped))
    found = {}
    for row in connection.execute(query.where(*which)):
        as_asked = bool(row.missed) and read_policies(row.definition).catch_up == "skip"
        ((skips, latest),) = json.loads(row.counts)
        found[row.application, row.called] = LeftOut(int(row.missed), as_asked, skips or 0, latest if skips else 0)
    return found


def _counts() -> Any:
    """Return how many of the latest scheduled times of a schedule were skipped for overlap, and how many there are, as
    JSON: to look them up, which is what takes long, is done once for both.
    """
    newest = select(run.c.reason).where(sql.same_schedule(run), run.c.trigger == sql.SCHEDULED)
    latest = newest.order_by(run.c.scheduled_for.desc()).limit(LATEST).correlate(schedule).subquery("latest")
    overlapped = func.sum(case((latest.c.reason == "overlap", 1), else_=0)).label("overlapped")
    both = select(overlapped, func.count().label("latest")).select_from(latest).subquery("both")
    return select(sql.as_json_array(both.c.overlapped, both.c.latest)).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Past:
    """The runs of a schedule that failed, were missed, or were late."""

    kind: Literal["failed", "missed", "late to finish"]
    application: str
    schedule: str
    count: int
    run_id: int
    """The last of them."""
    reason: str | None
    finish_by: datetime | None
    finished_at: datetime


def read_past(connection: Connection, since: datetime, application: str | None = None) -> list[Past]:
    """Return what happened since then. If a run was retried, only the retry counts; if a schedule has
    `catch_up = "skip"`, nothing that it missed does.
    """
    since_then = and_(*sql.if_given(schedule.c.application, application), run.c.finished_at >= since)
    failed = and_(run.c.state == sql.FAILED, ~exists().where(_next.c.retry_of == run.c.id))
    missed = and_(run.c.state == sql.SKIPPED, run.c.reason == "missed")
    late = and_(run.c.state == sql.SUCCEEDED, run.c.finish_by < run.c.finished_at)
    kinds = {"failed": failed, "missed": missed, "late to finish": late}
    found = union_all(*(_grouped(kind, and_(which, since_then)) for kind, which in kinds.items())).subquery()
    kind, name, count = found.c.kind, found.c.schedule, found.c["count"]
    reader = Reader(Past, _last, kind=kind, schedule=name, count=count, run_id=_last.c.id)
    query = select(*reader.columns, found.c.definition).join(_last, _last.c.id == found.c.last)
    query = query.order_by(kind, found.c.application, name)
    return [
        reader.read(row)
        for row in connection.execute(query)
        if row.kind != "missed" or read_policies(row.definition).catch_up != "skip"
    ]


def _grouped(kind: str, which: ColumnElement[bool]) -> Select[Any]:
    name, runs = present_name(schedule).label("schedule"), func.sum(run.c.count).label("count")
    values = (schedule.c.application, name, runs, func.max(run.c.id).label("last"), schedule.c.definition)
    query = select(literal(kind).label("kind"), *values).join(run, sql.same_schedule(run)).where(which)
    return query.group_by(schedule.c.application, schedule.c.name)
