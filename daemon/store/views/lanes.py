"""What schedules did in a window of time, put together by how narrow it is drawn: flat as the table of runs grows."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Integer, and_, case, cast, func, literal, literal_column, or_, select

from lease.database.dialects import Instant, seconds_between

from ..statements.dialects import among_keys, as_json_array, as_rows, given, same_schedule
from ..tables import Reader, ScheduleKey, job_run, run
from .history import RunLine, read_runs
from .names import Called

LOOKED_AT = 200_000
"""Runs that are read for a page, at most: of each of its schedules the latest."""
BEFORE = timedelta(days=1)
"""A run that was made so long before the window, and ended in it, is shown."""
_MOST_TRIED = 500
Ended = Literal["succeeded", "failed", "cancelled", "skipped", "missed"]


@dataclass(frozen=True, slots=True)
class LaneSpan:
    """Runs of a schedule that began close to each other and ended alike."""

    ended: Ended
    begins: float
    """Seconds from the beginning of the window; negative before it."""
    ends: float
    runs: int
    """How many scheduled times they stand for."""
    run_id: int
    """The latest of them."""


@dataclass(frozen=True, slots=True)
class LaneAttempt:
    """An attempt of a job of a run that was claimed more than once."""

    run_id: int
    token: int
    begins: float
    ends: float | None
    """None: it is running."""
    is_lost: bool
    """Its process died."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A window of time, and the numbers of the runs that were made in it, or within `BEFORE` of it."""

    begins: datetime
    ends: datetime
    first: int
    """No run with a lower number is one of them …"""
    end: int
    """… and none with this number or a higher one."""

    @property
    def seconds(self) -> float:
        return (self.ends - self.begins).total_seconds()


@dataclass(frozen=True, slots=True)
class LaneRuns:
    """What a schedule did."""

    spans: tuple[LaneSpan, ...] = ()
    is_cut: bool = False
    """It has more runs there than are read: the first are not in it."""


def read_window(connection: Connection, begins: datetime, ends: datetime) -> TimeWindow:
    """Return a window of time with the numbers of its runs: no index has when they were made, but their numbers rise."""
    first, end = (_first_made(moment, name) for moment, name in ((begins - BEFORE, "first"), (ends, "last")))
    numbers = connection.execute(select(first, end)).one()
    return TimeWindow(begins, ends, *numbers)


def _first_made(moment: datetime, name: str) -> ColumnElement[int]:
    """Return the number from which on all runs were made at this moment or later, by halving what is left of all numbers."""
    # Each by itself: SQLite goes through all runs for both at once.
    lowest, highest = (select(extreme(run.c.id)).scalar_subquery() for extreme in (func.min, func.max))
    low, high = func.coalesce(lowest, 0), func.coalesce(highest + 1, 0)
    halves = select(low.label("low"), high.label("high")).cte(name, recursive=True)
    middle: ColumnElement[int] = literal_column(f"({name}.low + {name}.high) / 2")
    made = select(run.c.created_at).where(run.c.id >= middle).order_by(run.c.id).limit(1).correlate(halves)
    is_before = made.scalar_subquery() < literal(moment, Instant)
    halved = select(case((is_before, middle + 1), else_=halves.c.low), case((is_before, halves.c.high), else_=middle))
    halves = halves.union_all(halved.where(halves.c.low < halves.c.high))
    return select(func.max(halves.c.low)).scalar_subquery()


def read_lanes(
    connection: Connection, schedules: Collection[ScheduleKey], window: TimeWindow, columns: int
) -> dict[ScheduleKey, LaneRuns]:
    """Return what each of these schedules did, put together where it began in one of so many columns of the same width."""
    if not schedules or window.first >= window.end:
        return {}
    names = Called(connection)
    keys = names.keys(schedules)
    firsts = _firsts(connection, keys, window)
    lanes = given("lanes", application=str, schedule=str, first=int)
    started = case((run.c.started_at.is_not(None), run.c.started_at), else_=run.c.scheduled_for)
    is_skipped = run.c.state == "skipped"
    over = case((is_skipped, func.coalesce(run.c.last_scheduled_for, run.c.scheduled_for)), else_=run.c.finished_at)
    begins, ends = (_since(window.begins, moment) for moment in (started, over))
    ended = case((and_(is_skipped, run.c.reason == "missed"), literal("missed")), else_=run.c.state)
    column = cast(begins / literal(window.seconds / columns), Integer)
    reader = Reader(
        LaneSpan,
        ended=ended,
        begins=func.min(begins),
        ends=func.max(ends),
        runs=func.sum(run.c.count),
        run_id=func.max(run.c.id),
    )
    query = (
        select(*reader.columns, lanes.c.application, lanes.c.schedule.label("key"))
        .select_from(lanes.join(run, and_(same_schedule(run, lanes), run.c.id >= lanes.c.first)))
        .where(run.c.id < window.end, run.c.finished_at >= literal(window.begins, Instant))
        .where(started < literal(window.ends, Instant), or_(~is_skipped, ends >= 0))
        .group_by(lanes.c.application, lanes.c.schedule, ended, column)
    )
    rows = connection.execute(query, {"lanes": as_rows((*key, firsts.get(key, window.first)) for key in keys)})
    found: dict[ScheduleKey, list[LaneSpan]] = {}
    for row in rows:
        found.setdefault((row.application, row.key), []).append(reader.read(row))
    return {
        (application, names.name(application, key)): LaneRuns(tuple(spans), (application, key) in firsts)
        for (application, key), spans in found.items()
    }


def _firsts(connection: Connection, keys: Sequence[ScheduleKey], window: TimeWindow) -> dict[ScheduleKey, int]:
    """Return the first run that is read of those schedules that have more than are read."""
    each = max(1_000, LOOKED_AT // len(keys))
    if window.end - window.first <= each:
        return {}
    lanes = given("keys", application=str, schedule=str)
    within = (same_schedule(run, lanes), run.c.id >= window.first, run.c.id < window.end)
    last = select(run.c.id).where(*within).order_by(run.c.id.desc()).offset(each).limit(1).correlate(lanes)
    query = select(lanes.c.application, lanes.c.schedule, last.scalar_subquery())
    rows = connection.execute(query, {"keys": as_rows(keys)})
    return {(application, key): first for application, key, first in rows if first is not None}


def read_attempts(
    connection: Connection, run_ids: Collection[int], window: TimeWindow
) -> dict[int, tuple[LaneAttempt, ...]]:
    """Return the attempts of those of these runs that were claimed more than once, at most of the latest `_MOST_TRIED`."""
    tried = select(run.c.id).where(among_keys(run.c.id, run_ids), run.c.attempt > 1)
    over = func.coalesce(job_run.c.work_ended_at, job_run.c.finished_at, type_=job_run.c.finished_at.type)
    begins, ends = (_since(window.begins, moment) for moment in (job_run.c.started_at, over))
    is_lost = job_run.c.state == literal_column("'abandoned'")
    reader = Reader(LaneAttempt, job_run, begins=begins, ends=ends, is_lost=is_lost)
    of_these = job_run.c.run_id.in_(tried.order_by(run.c.id.desc()).limit(_MOST_TRIED))
    query = select(*reader.columns).where(of_these, job_run.c.carried_from.is_(None)).order_by(job_run.c.id)
    found: dict[int, tuple[LaneAttempt, ...]] = {}
    for one in map(reader.read, connection.execute(query)):
        found[one.run_id] = (*found.get(one.run_id, ()), one)
    return found


def read_window_runs(
    connection: Connection, schedules: Collection[ScheduleKey], window: TimeWindow, before: int | None, limit: int
) -> list[RunLine]:
    """Return the latest runs of these schedules in a window, of those with a number below ``before`` if it is given."""
    if not schedules:
        return []
    lanes = given("keys", application=str, schedule=str)
    within = (
        same_schedule(run, lanes),
        run.c.id >= window.first,
        run.c.id < min(window.end, before or window.end),
        or_(run.c.finished_at.is_(None), run.c.finished_at >= window.begins),
        or_(run.c.started_at.is_(None), run.c.started_at < window.ends),
        or_(run.c.state != "skipped", run.c.scheduled_for >= window.begins),
    )
    # Of each schedule by its index: PostgreSQL would look for all of them from the newest run on, among all runs.
    latest = select(run.c.id).where(*within).order_by(run.c.id.desc()).limit(limit).correlate(lanes).subquery("latest")
    ids = select(as_json_array(latest.c.id)).correlate(lanes).scalar_subquery()
    keys = as_rows(Called(connection).keys(schedules))
    found = connection.scalars(select(ids).select_from(lanes), {"keys": keys})
    newest = sorted((one for text in found for one in json.loads(text or "[]")), reverse=True)[:limit]
    return read_runs(connection, limit=limit, also=[among_keys(run.c.id, newest)])


def _since(moment: datetime, of: ColumnElement[Any]) -> ColumnElement[float]:
    return seconds_between(literal(moment, Instant), of)
