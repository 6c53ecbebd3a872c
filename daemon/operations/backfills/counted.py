"""The split of a counted row, from which instants are taken that are to run. Pure.

Its instants are those of the schedule's timing now; where they are not, nothing is known of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from ...definitions.schedule import Schedule
from ...definitions.triggers.tally import Tally

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
