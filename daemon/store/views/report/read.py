"""The statements of a report, a fixed number of them; apart from the report itself, which is pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, case, cast, exists, func, or_, select, true

from lease.database.backend import backend_of
from lease.database.dialects import now, seconds_between

from ....states import LIVE, SEEN_WITHIN
from ...policies import read_policies
from ...statements import dialects as sql
from ...statements.run import is_late_to_finish
from ...statements.schedule import database_time
from ...tables import Reader, act, backfill, generation, job_run, present_name, pruned, replica, run, schedule
from ..problems import LATE_AFTER
from .report import Act, Deploy, OutageLine, Report, ScheduleReport, by_problem, merged, summed, within

MOST_ACTS = 100
"""So many different acts are listed, the latest."""
_MOMENT = timedelta(seconds=LATE_AFTER)
_next, _again, _one = run.alias("next"), run.alias("again"), run.alias("one")
# A cast of text to text changes nothing, but SQLite then begins with the schedules, not with all runs of their history.
_ours = and_(run.c.application == cast(schedule.c.application, Text), run.c.schedule == cast(schedule.c.name, Text))


@dataclass(slots=True)
class _Counts:
    """What was counted of one schedule."""

    states: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    """The failed ones that were retried, by the state of the last retry."""
    backfilled: Counter[str] = field(default_factory=Counter)
    """The instants for which a backfill succeeded, by what had become of them before."""
    as_reported: Counter[str] = field(default_factory=Counter)
    """What the report has under the same name."""
    last_failed_run_id: int | None = None
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class _Night:
    """What a report is about, and what was counted."""

    connection: Connection
    since: datetime
    until: datetime
    application: str | None
    counts: defaultdict[tuple[str, str], _Counts] = field(default_factory=lambda: defaultdict(_Counts))
    """By application and key."""

    def of(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a row is of its application."""
        return column.is_not(None) if self.application is None else column == self.application

    def during(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that a moment is in its time."""
        return and_(moment >= self.since, moment < self.until)

    def due(self) -> ColumnElement[bool]:
        """Return the condition that a run of a schedule was due in its time, as the index has it."""
        during = self.during(run.c.scheduled_for)
        return and_(_ours, run.c.trigger == sql.SCHEDULED, during, self.of(schedule.c.application))

    def all(self, query: Any) -> Sequence[Row[Any]]:
        return self.connection.execute(query).all()


def read_report(
    connection: Connection, since: datetime, until: datetime | None = None, application: str | None = None
) -> Report:
    """Return what became of all that was due from ``since`` up to ``until``, by default now."""
    at = database_time(connection)
    asked = _Night(connection, since, at if until is None else min(until, at), application)
    _cut_counted(asked, _count_due(asked))
    _count_retries(asked)
    _count_backfilled(asked)
    _count_requested(asked)
    lines = sorted(_lines(asked, at), key=by_problem)
    last_pruned = select(func.max(pruned.c.until, type_=pruned.c.until.type))
    return Report(
        database_time=at,
        since=since,
        until=asked.until,
        totals=summed(lines),
        items=lines,
        deploys=_deploys(asked),
        acts=_acts(asked),
        outages=_outages(asked, at),
        pruned_until=connection.scalar(last_pruned.where(asked.of(pruned.c.application), pruned.c.until >= since)),
    )


def _count_due(asked: _Night) -> list[int]:
    """Count what was due, and return the runs that stand for later times too, at most one of a schedule."""

    def number(which: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((which, run.c.count), else_=0))

    is_retried = or_(_has_attempt("failed"), and_(run.c.state.in_(["failed", "cancelled"]), _is_tried_again()))
    counted = (
        func.sum(run.c.count).label("due"),
        number(_is_late()).label("late"),
        number(is_retried).label("retried"),
        number(and_(run.c.state == "succeeded", _has_attempt("abandoned"))).label("recovered"),
        func.max(case((and_(run.c.state == sql.FAILED, ~_is_tried_again()), run.c.id))).label("last"),
        func.max(case((run.c.last_scheduled_for >= asked.until, run.c.id))).label("cut"),
    )
    keys = (schedule.c.application, schedule.c.name)
    group = (run.c.state, case((run.c.state == sql.SKIPPED, run.c.reason)).label("reason"))
    if backend_of(asked.connection).is_embedded:
        query = select(*keys, *group, *counted).select_from(schedule).join(run, asked.due()).group_by(*keys, *group)
    else:
        # PostgreSQL would go through all runs, of however long a history: by LATERAL it looks up those of each schedule.
        each = select(*group, *counted).where(asked.due()).group_by(*group).correlate(schedule).lateral("each")
        query = select(*keys, *each.c).join(each, true())
    cut = []
    for row in asked.all(query):
        of = asked.counts[row.application, row.name]
        if row.state == "skipped":
            of.skipped[row.reason or "unknown"] += int(row.due)
        else:
            of.states[row.state] += int(row.due)
        of.as_reported.update(late=int(row.late), retried=int(row.retried), recovered=int(row.recovered))
        of.last_failed_run_id = row.last or of.last_failed_run_id
        cut += [] if row.cut is None else [row.cut]
    return cut


def _is_late() -> ColumnElement[bool]:
    """Return the condition that a run could start and did not within a minute, or did not succeed by its deadline."""
    could = case((run.c.available_at > run.c.started_at, run.c.scheduled_for), else_=run.c.available_at)
    began = func.coalesce(run.c.started_at, now(), type_=now.type)
    first = (run.c.state != "cancelled", run.c.attempt <= 1, seconds_between(run.c.available_at, began) > LATE_AFTER)
    again = (run.c.attempt > 1, seconds_between(could, run.c.started_at) > LATE_AFTER)
    return and_(run.c.state != "skipped", or_(and_(*first), and_(*again), is_late_to_finish()))


def _has_attempt(state: str) -> ColumnElement[bool]:
    # No EXISTS: PostgreSQL would first go through all attempts.
    one = select(job_run.c.id).where(job_run.c.run_id == run.c.id, job_run.c.state == state).limit(1)
    return and_(run.c.attempt > 1, one.correlate(run).scalar_subquery().is_not(None))


def _is_tried_again(of: Any = run) -> ColumnElement[bool]:
    return exists().where(_next.c.retry_of == of.c.id)


def _cut_counted(asked: _Night, end_later: Collection[int]) -> None:
    """Count of a row that stands for many skipped times only those of this time, where it began before or ends after."""

    def began_before(one: Any) -> ColumnElement[bool]:
        return and_(sql.same_schedule(one), one.c.trigger == sql.SCHEDULED, one.c.scheduled_for < asked.since)

    wanted = ("reason", "count", "scheduled_for", "last_scheduled_for")
    both, last = sql.with_newest(asked.connection, schedule, run, "before", wanted, began_before, by="scheduled_for")
    before = select(schedule.c.application, schedule.c.name, *_times(last)).select_from(both)
    before = before.where(asked.of(schedule.c.application), last.last_scheduled_for >= asked.since)
    after = select(run.c.application, run.c.schedule.label("name"), *_times(run.c))
    after = after.where(sql.among_keys(run.c.id, end_later))
    for row in (*asked.all(before), *(asked.all(after) if end_later else ())):
        of = asked.counts[row.application, row.name]
        counted = row.stands_for if row.first >= asked.since else 0
        of.skipped[row.reason] += within(row.first, row.last, row.stands_for, asked.since, asked.until) - counted
        of.estimated = True


def _times(of: Any) -> Sequence[ColumnElement[Any]]:
    first, last = of.scheduled_for.label("first"), of.last_scheduled_for.label("last")
    return of.reason, of["count"].label("stands_for"), first, last


def _count_retries(asked: _Night) -> None:
    """Count the failed ones that were retried, by the state of the last retry of each."""
    failed = (
        select(schedule.c.application, schedule.c.name, _next.c.id, _next.c.state)
        .select_from(schedule)
        .join(run, and_(asked.due(), run.c.state == sql.FAILED, run.c.finished_at >= asked.since))
        .join(_next, _next.c.retry_of == run.c.id)
        .cte("tried", recursive=True)
    )
    again = select(failed.c.application, failed.c.name, _again.c.id, _again.c.state)
    tried = failed.union_all(again.join(_again, _again.c.retry_of == failed.c.id))
    each = (tried.c.application, tried.c.name, tried.c.state)
    query = select(*each, func.count().label("runs"), func.max(tried.c.id).label("last")).group_by(*each)
    for row in asked.all(query.where(~_is_tried_again(tried))):
        of = asked.counts[row.application, row.name]
        of.retries[row.state] += row.runs
        if row.state == "failed":
            of.last_failed_run_id = max(row.last, of.last_failed_run_id or 0)


def _count_backfilled(asked: _Night) -> None:
    """Count the times for which a backfill has succeeded, by what had become of them."""
    same = and_(sql.same_schedule(_one, run), _one.c.trigger == sql.SCHEDULED)
    what = case((_one.c.state == "skipped", _one.c.reason), else_=_one.c.state)
    before = select(what).where(same, _one.c.scheduled_for <= run.c.scheduled_for)
    was = before.order_by(_one.c.scheduled_for.desc()).limit(1).correlate(run).scalar_subquery().label("was")
    overlaps = (asked.of(backfill.c.application), backfill.c.last >= asked.since, backfill.c.first < asked.until)
    done = (
        select(run.c.application, run.c.schedule, was)
        .select_from(backfill)
        .join(run, run.c.backfill == cast(backfill.c.id, run.c.backfill.type))
        .where(*overlaps, asked.during(run.c.scheduled_for), run.c.state == "succeeded")
        .subquery()
    )
    for row in asked.all(select(*done.c, func.count().label("runs")).group_by(*done.c)):
        asked.counts[row.application, row.schedule].backfilled[row.was] += row.runs


def _count_requested(asked: _Night) -> None:
    """Count the runs on request that failed and were not retried, but for retries of those that are counted."""
    of_due = and_(run.c.retry_of.is_not(None), run.c.origin.is_(None), asked.during(run.c.scheduled_for))
    query = (
        select(schedule.c.application, schedule.c.name, func.count().label("runs"), func.max(run.c.id).label("last"))
        .select_from(schedule)
        .join(run, and_(_ours, run.c.state == sql.FAILED, asked.during(run.c.finished_at)))
        .where(asked.of(schedule.c.application), run.c.trigger != sql.SCHEDULED, ~of_due)
        .where(~_is_tried_again())
        .group_by(schedule.c.application, schedule.c.name)
    )
    for row in asked.all(query):
        of = asked.counts[row.application, row.name]
        of.as_reported["requested_failed"] = row.runs
        of.last_failed_run_id = max(row.last, of.last_failed_run_id or 0)


def _lines(asked: _Night, at: datetime) -> Iterator[ScheduleReport]:
    """Yield the schedules of which something was counted, or is not planned in time."""
    planned_by = min(asked.until, at - _MOMENT)
    not_planned = and_(schedule.c.enabled, schedule.c.retired_at.is_(None), schedule.c.next_due < planned_by)
    names = (schedule.c.application, schedule.c.name, present_name(schedule).label("called"))
    since = case((not_planned, schedule.c.next_due))
    since.type = schedule.c.next_due.type
    policies = sql.definition_with("catch_up").label("definition")
    query = select(*names, policies, since.label("not_planned_since")).where(asked.of(schedule.c.application))
    for row in asked.all(query):
        key = row.application, row.name
        if key in asked.counts or row.not_planned_since is not None:
            as_asked = row.definition is not None and read_policies(row.definition).catch_up == "skip"
            yield _line(row, asked.counts[key], missed_as_asked=as_asked)


def _line(row: Row[Any], of: _Counts, *, missed_as_asked: bool) -> ScheduleReport:
    missed, failed = of.skipped.pop("missed", 0), of.states["failed"]
    retried_well = of.retries["succeeded"]
    retrying = of.retries["pending"] + of.retries["running"]
    backfilled = of.backfilled["failed"] + of.backfilled["missed"]
    lost_missed = 0 if missed_as_asked else max(0, missed - of.backfilled["missed"])
    return ScheduleReport(
        application=row.application,
        schedule=row.called,
        due=sum(of.states.values()) + sum(of.skipped.values()) + missed,
        succeeded=of.states["succeeded"],
        failed=failed,
        cancelled=of.states["cancelled"],
        missed=missed,
        active=of.states["pending"] + of.states["running"],
        skipped={reason: count for reason, count in sorted(of.skipped.items()) if count},
        lost=lost_missed + max(0, failed - retried_well - retrying - of.backfilled["failed"]),
        made_good=retried_well + backfilled,
        retrying=retrying,
        **of.as_reported,
        last_failed_run_id=of.last_failed_run_id,
        not_planned_since=row.not_planned_since,
        estimated=of.estimated,
    )


def _deploys(asked: _Night) -> list[Deploy]:
    number, by, at = generation.c.number, generation.c.brought_by, generation.c.ruled_at
    reader = Reader(Deploy, generation, generation=number, by=by, at=at)
    query = select(*reader.columns).where(asked.of(generation.c.application), asked.during(generation.c.ruled_at))
    return list(map(reader.read, asked.all(query.order_by(generation.c.ruled_at, generation.c.application))))


def _acts(asked: _Night) -> list[Act]:
    """Return the latest of what people did; what one did for one reason is one."""
    same = (act.c.application, act.c.act, act.c.acted_by, act.c.why)
    first, last = (of(act.c.acted_at, type_=act.c.acted_at.type) for of in (func.min, func.max))
    reader = Reader(
        Act,
        act,
        by=act.c.acted_by,
        count=func.count(),
        schedule=func.min(present_name(act)),
        schedules=func.count(act.c.schedule.distinct()),
        first_at=first,
        last_at=last,
    )
    query = select(*reader.columns).where(asked.of(act.c.application), asked.during(act.c.acted_at)).group_by(*same)
    latest = asked.all(query.order_by(last.desc(), *same[:3]).limit(MOST_ACTS))
    return list(map(reader.read, latest))[::-1]


def _outages(asked: _Night, at: datetime) -> list[OutageLine]:
    """Return when no replica was running, by what is recorded of them, and when what was missed could not be planned."""
    lives: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    query = select(*sql.columns(replica, "application state started_at seen_at stopped_at"))
    active = (schedule.c.retired_at.is_(None), schedule.c.enabled)
    needed = exists().where(schedule.c.application == replica.c.application, *active)
    for row in asked.all(query.where(asked.of(replica.c.application), needed)):
        stopped = row.stopped_at if row.state == "stopped" else row.seen_at
        runs = row.state in LIVE and at - row.seen_at < timedelta(seconds=SEEN_WITHIN)
        lives[row.application].append((row.started_at, at if runs else stopped))
    away: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    planned_at = func.min(run.c.created_at, type_=run.c.created_at.type).label("planned_at")
    unplanned = (  # what was missed knows the times in which nothing was planned
        select(schedule.c.application, run.c.away_from, planned_at)
        .select_from(schedule)
        .join(run, _ours)
        .where(asked.of(schedule.c.application), run.c.state == sql.SKIPPED, run.c.reason == "missed")
        .where(run.c.finished_at >= asked.since, run.c.away_from < asked.until)
        .group_by(schedule.c.application, run.c.away_from)
    )
    for row in asked.all(unplanned):
        away[row.application].append((row.away_from, row.planned_at))
    found = []
    for of in sorted(lives.keys() | away.keys()):
        times = pairwise([*merged(lives[of]), (at, at)])
        gaps = [(end, start) for (_, end), (start, _) in times if end < start]
        for start, end in merged([*gaps, *away[of]]):
            if end - start > _MOMENT and end > asked.since and start < asked.until:
                found.append(OutageLine(of, start, None if end >= at else end))
    return found
