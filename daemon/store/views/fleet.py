"""What the metrics of the fleet say of each schedule and of the database, read in a fixed number of statements."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from lease.database.backend import backend_of
from lease.database.dialects import now, seconds_between, seconds_of

from ...states import LongLevel
from ..statements import dialects as sql
from ..statements.schedule import database_time
from ..tables import Reader, ScheduleKey, present_name, run, schedule
from .acting import in_force
from .lately import MOST_FAILURES, LeftOut, read_left_out
from .locks import held_by_programs
from .replicas import ReplicaLine, read_replicas
from .server import oldest_transaction
from .usual import Usual, read_usual

_of = run.alias("of")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE = 200
"""So many rows are taken from the driver at once: it holds all threads of the process meanwhile."""


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    """What the metrics say of one schedule; instants are seconds since 1970."""

    application: str
    schedule: str
    digest: str
    timing: str
    paused: bool
    next_due: float | None
    late_for: float
    """Seconds since `next_due`, which is not planned yet; negative while it is to come, 0 if there is none."""
    last_due: float | None
    last_end: float | None
    last_success: float | None
    failures: int
    """The runs that failed since the last one that succeeded, up to `MOST_FAILURES`."""
    owed: float | None
    """The first instant due after the last success had started that ran, and has not succeeded."""
    owed_by: float | None
    """The deadline of that run, if it has one."""
    missed: float | None
    """The first instant that was missed since then."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The runs of one schedule that are not over."""

    running: int = 0
    longest: float = 0.0
    """Seconds for which the longest of them has been running."""
    waits: float = 0.0
    """Seconds since the one that waits longest could have started."""


WhichUsual = Callable[[Sequence[ScheduleFacts], Mapping[ScheduleKey, Unfinished]], Collection[ScheduleKey]]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The facts of the fleet at one moment."""

    database_time: datetime
    schedules: tuple[ScheduleFacts, ...]
    unfinished: Mapping[ScheduleKey, Unfinished]
    left_out: Mapping[ScheduleKey, LeftOut]
    usual: Mapping[ScheduleKey, Usual]
    """Of those that were asked for."""
    definitions: Mapping[str, str]
    """By digest, those that were not known."""
    replicas: tuple[ReplicaLine, ...]
    locks: Mapping[LongLevel | None, int]
    """How many leases programs hold, by how long that is."""
    oldest_transaction: float | None
    """Seconds; None on SQLite."""


def read_fleet(connection: Connection, *, usual: WhichUsual = lambda *_: (), known: Collection[str] = ()) -> Fleet:
    """Return the facts of all applications: ``usual`` returns the schedules whose usual durations are read, ``known``
    are the digests of the definitions that are not needed.
    """
    schedules, unfinished = tuple(_read_schedules(connection)), _read_unfinished(connection)
    unknown = {one.digest for one in schedules} - set(known)
    of_unknown = select(schedule.c.digest, schedule.c.definition).where(sql.among(schedule.c.digest, unknown))
    return Fleet(
        database_time=database_time(connection),
        schedules=schedules,
        unfinished=unfinished,
        left_out=read_left_out(connection, literal(True)),
        usual=read_usual(connection, usual(schedules, unfinished)),
        definitions=dict(_in_steps(connection, of_unknown)) if unknown else {},
        replicas=tuple(read_replicas(connection)),
        locks=held_by_programs(connection),
        oldest_transaction=_oldest(connection),
    )


def _oldest(connection: Connection) -> float | None:
    if backend_of(connection).is_embedded:
        return None
    oldest = oldest_transaction(connection)
    return 0.0 if oldest is None else oldest.age


def _in_steps(connection: Connection, query: Select[Any]) -> list[Any]:
    rows, result = list[Any](), connection.execute(query)
    while some := result.fetchmany(_ROWS_AT_ONCE):
        rows += some
    return rows


def _read_schedules(connection: Connection) -> list[ScheduleFacts]:
    """Read each value by an index of `run`, which may be large."""
    base = _base()
    ours = and_(_of.c.application == base.c.application, _of.c.schedule == base.c.key)
    failed = select(_of.c.id).where(ours, _of.c.state == sql.FAILED, _of.c.id > base.c.success)
    failures = failed.correlate(base).limit(MOST_FAILURES).subquery("failures")
    due = select(_of.c.scheduled_for).where(ours, _of.c.trigger == sql.SCHEDULED).correlate(base)
    newest = due.order_by(_of.c.scheduled_for.desc()).limit(1)
    last_due = func.coalesce(_of.c.last_scheduled_for, _of.c.scheduled_for, type_=_of.c.scheduled_for.type)
    later = due.where(_of.c.scheduled_for > base.c.since).order_by(_of.c.scheduled_for).limit(1)
    owed = later.where(_of.c.state != sql.SKIPPED)
    missed = later.where(_of.c.state == sql.SKIPPED, _of.c.reason == "missed")
    reader = Reader(
        ScheduleFacts,
        base,
        schedule=base.c.name,
        timing=base.c.trigger,
        last_due=newest.with_only_columns(seconds_of(last_due)).scalar_subquery(),
        failures=select(func.count()).select_from(failures).scalar_subquery(),
        owed=owed.with_only_columns(seconds_of(_of.c.scheduled_for)).scalar_subquery(),
        owed_by=owed.with_only_columns(seconds_of(_of.c.finish_by)).scalar_subquery(),
        missed=missed.with_only_columns(seconds_of(_of.c.scheduled_for)).scalar_subquery(),
    )
    query = select(*reader.columns).order_by(base.c.application, base.c.name)
    return list(map(reader.read, _in_steps(connection, query)))


def _base() -> CTE:
    long_ago = literal(_LONG_AGO, _of.c.started_at.type)
    return (
        select(
            schedule.c.application,
            schedule.c.name.label("key"),
            present_name(schedule).label("name"),
            schedule.c.digest,
            schedule.c.trigger,
            case((in_force(), literal(True)), else_=literal(False)).label("paused"),
            seconds_of(schedule.c.next_due).label("next_due"),
            func.coalesce(seconds_between(schedule.c.next_due, now()), 0.0).label("late_for"),
            _last([sql.SUCCEEDED, sql.FAILED, sql.CANCELLED], seconds_of(_of.c.finished_at)).label("last_end"),
            _last([sql.SUCCEEDED], seconds_of(_of.c.finished_at)).label("last_success"),
            func.coalesce(_last([sql.SUCCEEDED], _of.c.id), 0).label("success"),
            func.coalesce(_last([sql.SUCCEEDED], _of.c.started_at), long_ago).label("since"),
        )
        .where(schedule.c.retired_at.is_(None))
        .cte("base")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )


def _last(states: Sequence[ColumnElement[str]], value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the query for a value of the last run in one of these states, from the end of the index on ids."""
    newest = select(value).where(sql.same_schedule(_of), _of.c.state.in_(states)).order_by(_of.c.id.desc())
    return newest.limit(1).correlate(schedule).scalar_subquery()


def _read_unfinished(connection: Connection) -> dict[ScheduleKey, Unfinished]:
    running, called = run.c.state == sql.RUNNING, present_name(schedule)
    waits = and_(run.c.state == sql.PENDING, run.c.available_at < now())
    reader = Reader(
        Unfinished,
        running=func.sum(case((running, 1), else_=0)),
        longest=func.coalesce(func.max(case((running, seconds_between(run.c.started_at, now())))), 0.0),
        waits=func.coalesce(func.max(case((waits, seconds_between(run.c.available_at, now())))), 0.0),
    )
    query = (
        select(*reader.columns, run.c.application, called.label("called"))
        .select_from(run.join(schedule, sql.same_schedule(run)))
        .where(sql.unfinished(), or_(running, waits))
        .group_by(run.c.application, schedule.c.name, called)
    )
    return {(row.application, row.called): reader.read(row) for row in _in_steps(connection, query)}
