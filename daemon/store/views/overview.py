"""The overview: replicas, schedules, running and waiting runs at one moment."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, case, func, literal, select

from lease.database.dialects import clock, now, seconds_between
from lease.schema import lease, stale

from ...states import RunState
from ..policies import read_policies
from ..statements import dialects as sql
from ..statements.schedule import PAUSE, database_time
from ..tables import Reader, ScheduleKey, job_run, present_name, replica, run, schedule
from .acting import BackfillLine, in_force, read_backfills
from .causes import Why, sentence
from .defined import RetiredSchedule, read_retired
from .lately import LeftOut, TryingRun, read_left_out, read_never_run, read_streaks, read_trying
from .names import Called
from .replicas import ReplicaLine, read_replicas
from .usual import Long, long_for, may_be_long, read_usual
from .why import may_start_at, whys, with_why

NOTHING_LEFT_OUT = LeftOut()
_FINISHED: tuple[RunState, ...] = ("succeeded", "failed")
MOST_WAITING = 100
MOST_DEAD = 10
DIED_WITHIN = 600.0
"""Seconds for which a replica that has died is shown beside those that live."""


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A schedule, its next due instant, and its last run that was not skipped."""

    application: str
    schedule: str
    timing: str
    """For people: ``cron 0 2 * * *``."""
    enabled: bool
    paused_at: datetime | None
    paused_by: str | None
    paused_why: str | None
    paused_until: datetime | None
    """When it goes on by itself; None: when it is resumed."""
    next_due: datetime | None
    due_in: float | None
    """Seconds; negative if it is overdue."""
    last_run_id: int | None
    last_state: RunState | None
    last_reason: str | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    last_seconds: float | None
    finished_run_id: int | None = None
    """Its last run that succeeded or failed, whatever has come since."""
    finished_state: RunState | None = None
    finished_reason: str | None = None
    finished_at: datetime | None = None
    finished_seconds: float | None = None
    success_by: datetime | None = None
    """By when its next success is expected, where that was asked for and is known."""
    left_out: LeftOut = NOTHING_LEFT_OUT
    failures: int = 0
    """How many of its runs failed since one last succeeded, up to 1,000, if the last that ended failed."""
    never_ran_at: datetime | None = None
    """Its last scheduled time that was missed, if none of its runs has ever started."""


@dataclass(frozen=True, slots=True)
class RunningJob:
    """The job that a run is executing."""

    job: str
    attempt: int
    running_for: float
    done: float | None
    total: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class RunningRun:
    """A run that a replica has claimed."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    token: int
    holder: str
    host: str | None
    pid: int | None
    running_for: float
    held: bool
    """Its lease is held under this token, and has not gone stale."""
    draining: bool
    """Its replica drains, and hands it back if it is not over when `grace` has passed."""
    cancelled_by: str | None
    """Who marked it as cancelled: its replica stops the job."""
    finish_by: datetime | None
    job: RunningJob | None
    usually_ends_in: float | None = None
    """Seconds, if it takes as long as usual; negative if it takes longer. Only where it drains."""
    lease_expires_in: float | None = None
    """Seconds until its lease expires unless it is renewed; negative since it has. None: it has ended."""
    long: Long | None = None
    """It has been running for long."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A pending run, which no replica executes at the moment."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    attempt: int
    available_at: datetime | None
    """None while it waits for its predecessor."""
    waiting_for: float | None
    """Seconds since it could have started; negative if that is still to come."""
    finish_by: datetime | None
    why: Why | None
    why_text: str | None
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Replicas, schedules and unfinished runs, by the database's clock."""

    database_time: datetime
    replicas: tuple[ReplicaLine, ...]
    schedules: tuple[ScheduleLine, ...]
    running: tuple[RunningRun, ...]
    waiting: tuple[WaitingRun, ...]
    """The first `MOST_WAITING` of them."""
    waiting_count: int
    """Without the runs that wait to be fed by one of ``backfills``, of which a run is not over."""
    backfills: tuple[BackfillLine, ...]
    trying: tuple[TryingRun, ...] = ()
    """The runs of ``running`` and of those that wait that fail again and again."""
    retired: tuple[RetiredSchedule, ...] = ()
    """The schedules that were retired in the last 24 hours."""
    all_retired: tuple[str, ...] = ()
    """The applications whose schedules are retired, all of them, if there is no other schedule."""


def read_overview(
    connection: Connection,
    application: str | None = None,
    *,
    dead: Collection[str] = (),
    only: Collection[ScheduleKey] | None = None,
) -> Overview:
    """Return the overview, of one application or of all, in at most nineteen statements.

    ``only`` are the keys of its schedules, by default all; ``dead`` the holders whose death is proven, recorded or not.
    """
    of_run = _unfinished_among(application, only)
    which = _among(schedule, application, only)
    to_be_fed = and_(run.c.backfill.is_not(None), run.c.place_at.is_not(None), run.c.available_at.is_(None))
    waiting = and_(sql.pending, ~to_be_fed, of_run)
    replicas = read_replicas(connection, application=application, past=MOST_DEAD, died_within=DIED_WITHIN, dead=dead)
    schedules = _schedules(connection, which)
    of = schedule.c.application
    with_schedules = select(of).where(*sql.if_given(of, application)).distinct().order_by(of)
    found = Overview(
        database_time=database_time(connection),
        replicas=tuple(replicas),
        schedules=tuple(schedules),
        running=tuple(read_running(connection, application, only=only, dead=dead)),
        waiting=tuple(_waiting(connection, waiting)),
        waiting_count=connection.execute(select(func.count()).select_from(run).where(waiting)).scalar_one(),
        backfills=tuple(read_backfills(connection, limit=MOST_WAITING, application=application, unfinished=True)),
        trying=tuple(read_trying(connection, of_run)),
        retired=tuple(read_retired(connection, application)),
        all_retired=() if schedules or only else tuple(connection.scalars(with_schedules)),
    )
    if only is None:
        return found
    names = Called(connection)
    called = {(of, names.name(of, key)) for of, key in only}
    return replace(
        found,
        backfills=tuple(one for one in found.backfills if (one.application, one.schedule) in called),
        retired=tuple(one for one in found.retired if (one.application, one.schedule) in called),
    )


def _among(of: Table, application: str | None, only: Collection[ScheduleKey] | None) -> ColumnElement[bool]:
    """Return the condition that a schedule, or the schedule of a run, is one of those that are asked for."""
    if only is None:
        return literal(True) if application is None else of.c.application == application
    return sql.among_keys((of.c.application, of.c.name if of is schedule else of.c.schedule), sorted(only))


def _unfinished_among(application: str | None, only: Collection[ScheduleKey] | None) -> ColumnElement[bool]:
    """Return the condition of unfinished runs, by which SQLite finds the index that has no others."""
    return and_(sql.unfinished(), _among(run, application, only))


def _schedules(connection: Connection, which: ColumnElement[bool]) -> list[ScheduleLine]:
    wanted = ("id", "state", "reason", "started_at", "finished_at")
    with_last, last = sql.with_newest(
        connection, schedule, run, "last", wanted, lambda of: and_(sql.same_schedule(of), of.c.state != "skipped")
    )
    is_over = last.state.in_(_FINISHED)  # mostly the last is also the last that ended, and then no other is looked for
    both, other = sql.with_newest(
        *(connection, with_last, run, "ended", wanted),
        lambda of: and_(~is_over, sql.same_schedule(of), of.c.state.in_(_FINISHED)),
    )

    def of_finished(value: Callable[[Any], ColumnElement[Any]]) -> ColumnElement[Any]:
        return case((is_over, value(last)), else_=value(other))

    left_out = read_left_out(connection, which)
    paused: dict[str, Any] = {name: case((in_force(), schedule.c[name])) for name in PAUSE}
    reader = Reader(
        ScheduleLine,
        schedule,
        schedule=present_name(schedule),
        timing=schedule.c.trigger,
        **paused,
        due_in=seconds_between(now(), schedule.c.next_due),
        last_run_id=last.id,
        **{f"last_{name}": last[name] for name in wanted[1:]},
        last_seconds=seconds_between(last.started_at, func.coalesce(last.finished_at, now(), type_=now.type)),
        finished_run_id=of_finished(lambda of: of.id),
        finished_state=of_finished(lambda of: of.state),
        finished_reason=of_finished(lambda of: of.reason),
        finished_at=of_finished(lambda of: of.finished_at),
        finished_seconds=of_finished(lambda of: seconds_between(of.started_at, of.finished_at)),
    )
    query = select(*reader.columns).select_from(both).where(schedule.c.retired_at.is_(None), which)
    rows = connection.execute(query.order_by(schedule.c.application, present_name(schedule))).all()
    return _completed(connection, reader, rows, left_out)


def _completed(
    connection: Connection,
    reader: Reader[ScheduleLine],
    rows: Sequence[Row[Any]],
    left_out: Mapping[ScheduleKey, LeftOut],
) -> list[ScheduleLine]:
    """Return the lines with what is read only of those that left something out, fail, or have never run."""
    by_key = {(row.application, row.schedule): row for row in rows}
    usual = read_usual(connection, {key for key in left_out.keys() & by_key.keys() if left_out[key].is_thinned})
    failures = read_streaks(connection, {key for key, row in by_key.items() if row.finished_state == "failed"})
    idle = {key for key, row in by_key.items() if row.last_run_id is None and row.enabled}
    never_ran = read_never_run(connection, idle)
    lines = []
    for key, row in by_key.items():
        lacks, pace = left_out.get(key, NOTHING_LEFT_OUT), usual.get(key)
        if pace is not None:
            lacks = replace(lacks, median_wait=pace.median_wait, median_seconds=pace.median)
        lines.append(reader.read(row, left_out=lacks, failures=failures.get(key, 0), never_ran_at=never_ran.get(key)))
    return lines


_RUNNING_RUN = Reader(
    RunningRun,
    run,
    run_id=run.c.id,
    schedule=present_name(schedule),
    host=replica.c.host,
    pid=replica.c.pid,
    running_for=seconds_between(run.c.started_at, now()),
    lease_expires_in=seconds_between(clock(), lease.c.expires_at),
)
_RUNNING_JOB = Reader(RunningJob, job_run, running_for=seconds_between(job_run.c.started_at, now()))


def read_running(
    connection: Connection,
    application: str | None,
    *,
    only: Collection[ScheduleKey] | None = None,
    dead: Collection[str] = (),
) -> list[RunningRun]:
    """Return the running runs of an application or of all; ``only`` are the keys of their schedules, by default all."""
    at = and_(job_run.c.run_id == run.c.id, job_run.c.state == "running")
    held = and_(lease.c.name.is_not(None), ~stale()).label("is_held")
    more = (held, replica.c.state.label("replica_state"), sql.definition_with("long").label("definition"))
    joined = run.join(schedule, sql.same_schedule(run)).outerjoin(lease, sql.is_under()).outerjoin(job_run, at)
    joined = joined.outerjoin(replica, replica.c.holder == run.c.holder)
    query = select(*_RUNNING_RUN.columns, *_RUNNING_JOB.columns, *more).select_from(joined)
    query = query.where(sql.running, _unfinished_among(application, only))
    found = []
    # SQLite goes through all runs if they are to come in the order of the key itself.
    for row in connection.execute(query.order_by(run.c.id + 0)):
        of_job = row[len(_RUNNING_RUN.columns) :]
        job = _RUNNING_JOB.read(of_job) if of_job[0] is not None else None
        draining = row.replica_state == "draining" and row.holder not in dead
        one = _RUNNING_RUN.read(row, held=bool(row.is_held), draining=draining, job=job)
        found.append((one, read_policies(row.definition or "{}").long))
    asked = [one for one, given in found if one.draining or may_be_long(one.running_for, given)]
    usual = read_usual(connection, {(one.application, one.schedule) for one in asked})
    lines = []
    for one, given in found:
        known = usual.get((one.application, one.schedule))
        ends_in = known.median - one.running_for if one.draining and known is not None else None
        lines.append(replace(one, usually_ends_in=ends_in, long=long_for(one.running_for, given, known)))
    return lines


def _waiting(connection: Connection, which: ColumnElement[bool]) -> list[WaitingRun]:
    not_before = may_start_at()
    reader = Reader(
        WaitingRun,
        run,
        run_id=run.c.id,
        schedule=present_name(run),
        available_at=not_before,
        waiting_for=seconds_between(not_before, now()),
    )
    query = select(*reader.columns).where(which).order_by(not_before.is_(None), not_before, run.c.id)
    rows = connection.execute(with_why(query.limit(MOST_WAITING))).all()
    return [
        reader.read(row, why=why, why_text=None if why is None else sentence(why))
        for row, why in zip(rows, whys(connection, rows), strict=True)
    ]
