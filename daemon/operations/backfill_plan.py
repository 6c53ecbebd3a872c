"""The plan of a backfill: a survey of past instants, and what is to become of them, or the sentence why that cannot be.

Instants that are to run are taken out of counted rows, whose instants are those of the schedule's timing now; where
they are not, nothing is known of them.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Literal, NamedTuple, assert_never

from sqlalchemy import Connection, Row

from ..definitions.codec import read_schedule
from ..definitions.schedule import Schedule
from ..definitions.triggers.wall_time import Tally
from ..errors import DaemonError
from ..scheduling.plan import waits_for_predecessor
from ..states import RunState
from ..store import statements
from ..store.called import called
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


def split(row: CountedRow, taken: Sequence[datetime], schedule: Schedule, anchor: datetime) -> Split | None:
    """Return the split of a row, from which all instants of a piece of time are taken; None if what it counts are not
    the instants of the schedule, whose timing was another then.
    """
    before = tally(schedule, anchor, row.first - _TICK, taken[0] - _TICK)
    after = tally(schedule, anchor, taken[-1], row.last)
    first = taken[0] if before is None else before.first
    last = taken[-1] if after is None else after.last
    count = len(taken) + sum(part.count for part in (before, after) if part is not None)
    return Split(row, before, taken, after) if (first, last, count) == (row.first, row.last, row.count) else None


def tally(schedule: Schedule, anchor: datetime, after: datetime, until: datetime) -> Tally | None:
    """Count the instants after ``after`` up to ``until``; None if there are none. It takes milliseconds for a year."""
    older = schedule.older(after, until, 1, anchor)
    start = after if older is None else older.last
    rest = list(takewhile(lambda instant: instant <= until, schedule.instants(start, anchor)))
    newer = Tally(rest[0], rest[-1], len(rest)) if rest else None
    if older is None or newer is None:
        return older or newer
    return older.and_then(newer)


@dataclass(frozen=True, slots=True)
class StretchLeft:
    """How a stretch goes on in which a row was split; its next instant extends what is ``counted_from`` there, or begins
    a counted row of its own.
    """

    count: int
    counted_from: datetime | None


def stretch_left(done: Split, longest: int) -> StretchLeft:
    """Return how the stretch goes on whose counted row was split; a row is ``longest`` less than its stretch."""
    if done.after is None:
        return StretchLeft(longest, None)
    return StretchLeft(longest + done.after.count, done.after.first)


Fate = Literal["succeeded", "under way", "left out", "failed", "skipped", "none"]
"""What has become of a scheduled time. failed: its run failed or was cancelled, and is retried; skipped, none: it gets a run."""


class SurveyedInstant(NamedTuple):
    """A scheduled time, what has become of it, and its last run."""

    instant: datetime
    fate: Fate
    run_id: int | None = None


@dataclass(slots=True)
class Survey:
    """What has become of each scheduled time."""

    each: list[SurveyedInstant] = field(default_factory=list)
    """In order."""
    succeeded: int = 0
    """So many have succeeded, in their own run or in one that tried it again."""
    under_way: Counter[int | None] = field(default_factory=Counter)
    """By the backfill that requested it, or None: so many wait or are at work."""
    skipped: list[int] = field(default_factory=list)
    """The runs that did not run."""
    ended: list[int] = field(default_factory=list)
    """The runs that failed or were cancelled, and that no other has tried again."""
    missing: list[datetime] = field(default_factory=list)
    """The instants without a run: the schedule was not due at them then."""
    counted: dict[CountedRow, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """By counted row, the instants that it stands for."""

    left_out: int = 0
    """So many are on days that the schedule keeps free, or cannot be retried."""

    @property
    def to_run(self) -> int:
        """How many are to run."""
        inside = sum(map(len, self.counted.values()))
        return len(self.skipped) + len(self.ended) + len(self.missing) + inside


@dataclass(frozen=True, slots=True)
class Try:
    """A run of one instant: its own, or one that tries the run before it again."""

    run_id: int
    state: RunState
    backfill: int | None


def survey(
    instants: Iterable[datetime],
    rows: Sequence[Any],
    next_tries: Mapping[int, Try],
    is_free: Callable[[datetime], bool] = lambda _: False,
) -> Survey:
    """Return what there is of instants, which are in order: ``rows`` are the runs of a schedule, in order too, and
    ``next_tries`` the runs that tried runs again, by the number of the run before. ``is_free`` says
    whether an instant is on a day that the schedule keeps free.
    """
    found = Survey()
    left = iter(rows)
    row = next(left, None)
    for instant in instants:
        while row is not None and (row.last_scheduled_for or row.scheduled_for) < instant:
            row = next(left, None)
        mine = None if row is None or row.scheduled_for > instant else row
        if (mine is None or mine.reason == "excluded") and is_free(instant):
            found.left_out += 1
            found.each.append(SurveyedInstant(instant, "left out"))
        elif mine is None:
            found.missing.append(instant)
            found.each.append(SurveyedInstant(instant, "none"))
        elif mine.last_scheduled_for is not None:
            counted = CountedRow(mine.id, mine.scheduled_for, mine.last_scheduled_for, mine.count)
            found.counted[counted].append(instant)
            found.each.append(SurveyedInstant(instant, "skipped"))
        else:
            tries = list(_tries(Try(mine.id, mine.state, mine.backfill), next_tries))
            found.each.append(SurveyedInstant(instant, _enter(found, tries), tries[-1].run_id))
    return found


def _tries(first: Try, next_tries: Mapping[int, Try]) -> Iterator[Try]:
    """Yield the runs of one instant, the latest last."""
    one: Try | None = first
    while one is not None:
        yield one
        one = next_tries.get(one.run_id)


def _enter(found: Survey, tries: Sequence[Try]) -> Fate:
    """Enter the runs of one scheduled time, and return what has become of it."""
    latest = tries[-1]
    state: RunState = "succeeded" if any(one.state == "succeeded" for one in tries) else latest.state
    match state:
        case "succeeded":
            found.succeeded += 1
            return "succeeded"
        case "pending" | "running":
            found.under_way[latest.backfill] += 1
            return "under way"
        case "failed" | "cancelled":
            found.ended.append(latest.run_id)
            return "failed"
        case "skipped":
            found.skipped.append(latest.run_id)
            return "skipped"
        case _:
            assert_never(state)


MOST_INSTANTS = 10_000
"""The most instants of one backfill."""


class CannotBackfill(DaemonError, ValueError):
    """These instants cannot be run now, or not so."""


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
    """What there is of each instant, and the retries and splits that are to be written."""

    row: Row[Any]
    schedule: Schedule
    wanted: Wanted
    instants: int
    found: Survey
    retries: Sequence[Planned]
    splits: Sequence[Split]


def plan_backfill(connection: Connection, wanted: Wanted, row: Row[Any], *, lock: bool) -> BackfillPlan:
    """Return the plan for the schedule in ``row``, which is locked if ``lock`` says so. Raises `CannotBackfill`."""
    schedule = read_schedule(row.definition)
    _refuse(wanted, schedule, called(row))
    key = (row.application, row.name)
    instants = _instants(wanted, schedule, row)
    if len(instants) > MOST_INSTANTS:
        _refuse_unkept(connection, schedule, row, instants[0])  # to end it earlier would not help
        raise CannotBackfill(
            f"a backfill has at most {number(MOST_INSTANTS)} scheduled times; here they end at "
            f"{when(instants[MOST_INSTANTS - 1])}: end it there, and start another one after it"
        )
    rows = statements.backfills.due_between(connection, key, instants[0], instants[-1]) if instants else []
    next_tries = _next_tries(connection, [one.id for one in rows])
    found = survey(instants, rows, next_tries, lambda instant: schedule.excluded_by(instant) is not None)
    retries = plan_retries(connection, {key}, found.ended, lock=lock) if found.ended else []
    if instants:
        _refuse_unkept(connection, schedule, row, instants[0])
    again = [one for one in retries if isinstance(one.plan, RetryPlan)]
    # The others were forgotten, say, or all of their jobs had succeeded when they were cancelled.
    found.left_out += len(retries) - len(again)
    lost = set(found.ended) - {one.row.id for one in again}
    found.each = [one._replace(fate="left out") if one.run_id in lost else one for one in found.each]
    found.ended = [one.row.id for one in again]
    return BackfillPlan(row, schedule, wanted, len(instants), found, again, _splits(found, schedule, row))


def _refuse(wanted: Wanted, schedule: Schedule, name: str) -> None:
    """Raise `CannotBackfill` for what no backfill of this schedule can be."""
    if wanted.at_most < 1:
        raise CannotBackfill(f"at most {wanted.at_most} runs at a time would never run anything; give 1 or more")
    if wanted.at_most > 1 and waits_for_predecessor(schedule.overlap):
        raise CannotBackfill(
            f'at most {wanted.at_most} runs at a time need overlap = "allow"; "{name}" has overlap = '
            f'"{schedule.overlap}", so its runs wait for each other: leave it out'
        )
    if wanted.first > wanted.last:
        raise CannotBackfill(
            f"the first time, {when(wanted.first)}, is after the last, {when(wanted.last)}; give the earlier one first"
        )
    if schedule.on_request:
        raise CannotBackfill(
            f'"{name}" runs only on request, so it has no scheduled times; `leased trigger {name}` runs it'
        )
    if not schedule.enabled:
        raise CannotBackfill(
            f'"{name}" is disabled, so it has no scheduled times; enable it, or `leased trigger {name}`'
        )


def _instants(wanted: Wanted, schedule: Schedule, row: Row[Any]) -> list[datetime]:
    last = min(wanted.last, row.planned_until)
    due = takewhile(lambda instant: instant <= last, schedule.instants(wanted.first - _TICK, row.anchor))
    return list(islice(due, MOST_INSTANTS + 1))


def _refuse_unkept(connection: Connection, schedule: Schedule, row: Row[Any], first: datetime) -> None:
    """Raise `CannotBackfill` if nobody knows what became of the first instant: it may have succeeded.

    The runs have been read before: what was pruned meanwhile is recorded by now.
    """
    of, key = f'"{called(row)}"', (row.application, row.name)
    oldest = statements.backfills.oldest(connection, key)
    pruned = statements.keeping.pruned_until(connection, *key)
    if oldest is None:
        raise CannotBackfill(
            f"{of} has not been due yet since its first deploy, and a backfill reaches back no further; "
            "`leased trigger` runs it now"
        )
    if first >= oldest and (pruned is None or first > pruned):
        return
    start = oldest - _TICK if pruned is None else max(oldest - _TICK, pruned)
    kept = next(schedule.instants(start, row.anchor), None)
    why = (
        f"{of} was first planned at {when(oldest)}"
        if pruned is None
        else (f"runs of {of} up to {when(pruned)} may have been pruned")
    )
    remedy = "no backfill is possible now" if kept is None else f"the earliest possible time is {when(kept)}"
    raise CannotBackfill(f"nothing is known about {when(first)}: {why}; {remedy}")


def earliest(connection: Connection, row: Row[Any]) -> datetime | None:
    """Return the first scheduled time that a backfill of the schedule in ``row`` can run; None: there is none yet."""
    key = (row.application, row.name)
    oldest = statements.backfills.oldest(connection, key)
    pruned = statements.keeping.pruned_until(connection, *key)
    return oldest if oldest is None or pruned is None else max(oldest, pruned + _TICK)


def _next_tries(connection: Connection, ids: Sequence[int]) -> Mapping[int, Try]:
    found: dict[int, Try] = {}
    latest: Sequence[int] = ids
    while latest:
        rows = statements.backfills.retries(connection, latest)
        found |= {row.retry_of: Try(row.id, row.state, row.backfill) for row in rows}
        latest = [row.id for row in rows]
    return found


def _splits(found: Survey, schedule: Schedule, of: Row[Any]) -> list[Split]:
    done = []
    for row, taken in found.counted.items():
        parts = split(row, taken, schedule, of.anchor)
        if parts is None:
            raise CannotBackfill(
                f'run {row.run_id} of "{called(of)}" stands for {number(row.count)} scheduled times from '
                f"{when(row.first)} to {when(row.last)}, but the timing of its schedule has changed since; leave "
                "them out"
            )
        done.append(parts)
    return done
