"""The plan of a backfill: a survey of past instants, and what is to become of them, or the sentence why that cannot be.

Instants that are to run are taken out of counted rows, whose instants are those of the schedule's timing now; where
they are not, nothing is known of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Literal, NamedTuple, assert_never

from sqlalchemy import Connection, Row

from ..definitions.schedule import Schedule, read_schedule
from ..definitions.triggers.wall_time import Tally
from ..errors import CannotAct
from ..scheduling.plan import waits_for_predecessor
from ..states import RunState
from ..store import statements
from ..store.tables import called
from ..text import number, when
from .retry import Planned, RetryPlan, plan_retries

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CountedRow:
    """A row that stands for ``count`` instants of a schedule."""

    run_id: int
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Split:
    """What a counted row stands for, before and after the ``taken`` instants; None: for nothing."""

    row: CountedRow
    before: Tally | None
    taken: Sequence[datetime]
    after: Tally | None


def tally(schedule: Schedule, anchor: datetime, after: datetime, until: datetime) -> Tally | None:
    """Count the instants after ``after`` up to ``until``; None if there are none. It takes milliseconds for a year."""
    older = schedule.older(after, until, 1, anchor)
    start = after if older is None else older.last
    rest = list(takewhile(lambda instant: instant <= until, schedule.instants(start, anchor)))
    newer = Tally(rest[0], rest[-1], len(rest)) if rest else None
    if older is None or newer is None:
        return older or newer
    return older.and_then(newer)


Fate = Literal["succeeded", "under way", "left out", "failed", "skipped", "none"]
"""What has become of a scheduled time. succeeded: in its own run or in one that tried it again; failed: its run failed or
was cancelled, and is retried; skipped, none: it gets a run; left out: it is on a day that the schedule keeps free, or
cannot be retried.
"""
TO_RUN: frozenset[Fate] = frozenset({"failed", "skipped", "none"})


class SurveyedInstant(NamedTuple):
    """A scheduled time, what has become of it, and its last run."""

    instant: datetime
    fate: Fate
    run_id: int | None = None
    backfill: int | None = None
    """The backfill that requested its last run."""
    counted: CountedRow | None = None
    """The row that stands for it among others."""


def survey(
    instants: Iterable[datetime],
    rows: Sequence[Any],
    next_tries: Mapping[int, Row[Any]],
    is_free: Callable[[datetime], bool],
) -> list[SurveyedInstant]:
    """Return what there is of instants, which are in order: ``rows`` are the runs of a schedule, in order too, and
    ``next_tries`` the runs that tried runs again, by the number of the run before. ``is_free`` says whether an instant is
    on a day that the schedule keeps free.
    """
    found = []
    left = iter(rows)
    row = next(left, None)
    for instant in instants:
        while row is not None and (row.last_scheduled_for or row.scheduled_for) < instant:
            row = next(left, None)
        mine = None if row is None or row.scheduled_for > instant else row
        if (mine is None or mine.reason == "excluded") and is_free(instant):
            found.append(SurveyedInstant(instant, "left out"))
        elif mine is None:
            found.append(SurveyedInstant(instant, "none"))
        elif mine.last_scheduled_for is not None:
            counted = CountedRow(mine.id, mine.scheduled_for, mine.last_scheduled_for, mine.count)
            found.append(SurveyedInstant(instant, "skipped", counted=counted))
        else:
            found.append(_tried(instant, mine, next_tries))
    return found


def _tried(instant: datetime, run: Row[Any], next_tries: Mapping[int, Row[Any]]) -> SurveyedInstant:
    """Return what has become of a scheduled time in its run, or in those that tried it again."""
    has_succeeded = run.state == "succeeded"
    while (following := next_tries.get(run.id)) is not None:
        run = following
        has_succeeded = has_succeeded or run.state == "succeeded"
    return SurveyedInstant(instant, "succeeded" if has_succeeded else _fate(run.state), run.id, run.backfill)


def _fate(state: RunState) -> Fate:
    match state:
        case "pending" | "running":
            return "under way"
        case "failed" | "cancelled":
            return "failed"
        case "succeeded" | "skipped":
            return state
        case _:
            assert_never(state)


MOST_INSTANTS = 10_000
"""The most instants of one backfill."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: the instants of a schedule from one to another, both included, and how many at a time."""

    application: str
    schedule: str
    first: datetime
    last: datetime
    at_most: int = 1


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What there is of each instant, in order, and the retries and splits that are to be written."""

    row: Row[Any]
    schedule: Schedule
    wanted: Wanted
    each: Sequence[SurveyedInstant]
    retries: Sequence[Planned]
    splits: Sequence[Split]

    @property
    def to_run(self) -> int:
        return sum(one.fate in TO_RUN for one in self.each)


def plan_backfill(connection: Connection, wanted: Wanted, row: Row[Any], *, lock: bool) -> BackfillPlan:
    """Return the plan for the schedule in ``row``, which is locked if ``lock`` says so. Raises `CannotAct`."""
    schedule = read_schedule(row.definition)
    _refuse(wanted, schedule, called(row))
    key = (row.application, row.name)
    last = min(wanted.last, row.planned_until)
    due = takewhile(lambda instant: instant <= last, schedule.instants(wanted.first - _TICK, row.anchor))
    instants = list(islice(due, MOST_INSTANTS + 1))
    if len(instants) > MOST_INSTANTS:
        _refuse_unkept(connection, schedule, row, instants[0])  # to end it earlier would not help
        raise CannotAct(
            f"a backfill has at most {number(MOST_INSTANTS)} scheduled times; here they end at "
            f"{when(instants[MOST_INSTANTS - 1])}: end it there, and start another one after it"
        )
    rows = statements.backfills.due_between(connection, key, instants[0], instants[-1]) if instants else []
    next_tries = _next_tries(connection, [one.id for one in rows])
    each = survey(instants, rows, next_tries, lambda instant: schedule.excluded_by(instant) is not None)
    ended = [one.run_id for one in each if one.fate == "failed" and one.run_id is not None]
    retries = plan_retries(connection, {key}, ended, lock=lock) if ended else []
    if instants:
        _refuse_unkept(connection, schedule, row, instants[0])
    again = [one for one in retries if isinstance(one.plan, RetryPlan)]
    # The others were forgotten, say, or all of their jobs had succeeded when they were cancelled.
    lost = set(ended) - {one.row.id for one in again}
    each = [one._replace(fate="left out") if one.run_id in lost else one for one in each]
    return BackfillPlan(row, schedule, wanted, each, again, _splits(each, schedule, row))


def _refuse(wanted: Wanted, schedule: Schedule, name: str) -> None:
    """Raise `CannotAct` for what no backfill of this schedule can be."""
    if wanted.at_most < 1:
        raise CannotAct(f"at most {wanted.at_most} runs at a time would never run anything; give 1 or more")
    if wanted.at_most > 1 and waits_for_predecessor(schedule.overlap):
        raise CannotAct(
            f'at most {wanted.at_most} runs at a time need overlap = "allow"; "{name}" has overlap = '
            f'"{schedule.overlap}", so its runs wait for each other: leave it out'
        )
    if wanted.first > wanted.last:
        raise CannotAct(
            f"the first time, {when(wanted.first)}, is after the last, {when(wanted.last)}; give the earlier one first"
        )
    if schedule.on_request:
        raise CannotAct(f'"{name}" runs only on request, so it has no scheduled times; `leased trigger {name}` runs it')
    if not schedule.enabled:
        raise CannotAct(f'"{name}" is disabled, so it has no scheduled times; enable it, or `leased trigger {name}`')


def _refuse_unkept(connection: Connection, schedule: Schedule, row: Row[Any], first: datetime) -> None:
    """Raise `CannotAct` if nobody knows what became of the first instant: it may have succeeded.

    The runs have been read before: what was pruned meanwhile is recorded by now.
    """
    of, start = f'"{called(row)}"', earliest(connection, row)
    if start is None:
        raise CannotAct(
            f"{of} has not been due yet since its first deploy, and a backfill reaches back no further; "
            "`leased trigger` runs it now"
        )
    if first >= start:
        return
    kept = next(schedule.instants(start - _TICK, row.anchor), None)
    pruned = statements.keeping.pruned_until(connection, row.application, row.name)
    why = (
        f"{of} was first planned at {when(start)}"
        if pruned is None
        else f"runs of {of} up to {when(pruned)} may have been pruned"
    )
    remedy = "no backfill is possible now" if kept is None else f"the earliest possible time is {when(kept)}"
    raise CannotAct(f"nothing is known about {when(first)}: {why}; {remedy}")


def earliest(connection: Connection, row: Row[Any]) -> datetime | None:
    """Return the first scheduled time that a backfill of the schedule in ``row`` can run; None: there is none yet."""
    key = (row.application, row.name)
    oldest = statements.backfills.oldest(connection, key)
    pruned = statements.keeping.pruned_until(connection, *key)
    return oldest if oldest is None or pruned is None else max(oldest, pruned + _TICK)


def _next_tries(connection: Connection, ids: Sequence[int]) -> Mapping[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    latest: Sequence[int] = ids
    while latest:
        rows = statements.backfills.retries(connection, latest)
        found |= {row.retry_of: row for row in rows}
        latest = [row.id for row in rows]
    return found


def _splits(each: Iterable[SurveyedInstant], schedule: Schedule, of: Row[Any]) -> list[Split]:
    """Return the splits of the rows from which these instants are taken: all those of a piece of time."""
    counted: dict[CountedRow, list[datetime]] = {}
    for one in each:
        if one.counted is not None:
            counted.setdefault(one.counted, []).append(one.instant)
    done = []
    for row, taken in counted.items():
        before = tally(schedule, of.anchor, row.first - _TICK, taken[0] - _TICK)
        after = tally(schedule, of.anchor, taken[-1], row.last)
        first = taken[0] if before is None else before.first
        last = taken[-1] if after is None else after.last
        count = len(taken) + sum(part.count for part in (before, after) if part is not None)
        if (first, last, count) != (row.first, row.last, row.count):
            raise CannotAct(
                f'run {row.run_id} of "{called(of)}" stands for {number(row.count)} scheduled times from '
                f"{when(row.first)} to {when(row.last)}, but the timing of its schedule has changed since; leave "
                "them out"
            )
        done.append(Split(row, before, taken, after))
    return done
