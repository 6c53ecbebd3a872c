"""What a schedule's definition leads to expect: its instants since it counts, and when it is planned next. Pure."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from ...definitions.schedule import Schedule
from ...scheduling.plan import first_state
from ..facts import Due, Fact, ScheduleProgress

AFTER_A_CHANGE = timedelta(seconds=15)
"""A sync reads the time and then waits for a planning under way, which may account for instants after that time by the old definition: how
far a changed one counts from later than its anchor is not recorded. Such a wait is bounded by less than this."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The facts of one schedule; ``capped``: earlier instants were left out."""

    facts: tuple[Fact, ...]
    capped: bool


def expectation(label: str, row: Any, schedule: Schedule, most: int) -> Expectation:
    """Return the latest ``most`` instants that were planned, and the next, of the schedule that ``row`` stores."""
    found, capped = _latest(schedule, _counts_from(row, schedule), row.planned_until, row.anchor, most)
    facts: list[Fact] = [Due(label, instant) for instant in found]
    if row.retired_at is None:
        following = next(schedule.instants(row.planned_until, row.anchor), None)
        facts.append(ScheduleProgress(label, row.planned_until, row.next_due, following))
    return Expectation(tuple(facts), capped)


def _counts_from(row: Any, schedule: Schedule) -> datetime:
    """Return after which instant the stored definition decides; the anchor is when its timing was first seen, or changed."""
    anchor: datetime = row.anchor
    if anchor == row.created_at:
        return first_state(schedule, anchor).planned_until
    return anchor + AFTER_A_CHANGE


def _latest(
    schedule: Schedule, after: datetime, until: datetime, anchor: datetime, most: int
) -> tuple[list[datetime], bool]:
    """Look back from ``until``, ever farther, for so many instants: all those of years would take too long."""
    span = timedelta(days=1)
    while True:
        all_of_it = until - after <= span
        begin = after if all_of_it else until - span
        found = deque(takewhile(lambda instant: instant <= until, schedule.instants(begin, anchor)), maxlen=most + 1)
        if all_of_it or len(found) > most:
            return list(found)[-most:], len(found) > most
        span *= 4
