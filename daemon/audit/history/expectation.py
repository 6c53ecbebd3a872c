"""The expectation from a schedule's definition: the instants that were due, and the next. Pure."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from ...definitions.schedule import Schedule
from ...scheduling.plan import first_state
from ..facts import Due, Fact, ScheduleProgress

AFTER_A_CHANGE = timedelta(seconds=15)
"""The time after a change in which instants may have been planned by the old definition.

A sync reads the time and then waits for planning in progress, so that a changed definition counts
from later than its anchor; how much later is not recorded. The wait is shorter than this.
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The facts of a schedule; ``capped``: earlier instants were left out."""

    facts: tuple[Fact, ...]
    capped: bool


def expectation(label: str, row: Any, schedule: Schedule, most: int) -> Expectation:
    """Return the latest ``most`` planned instants of the schedule in ``row``, and the next due."""
    found, capped = _latest(schedule, _counts_from(row, schedule), row.planned_until, row.anchor, most)
    facts: list[Fact] = [Due(label, instant) for instant in found]
    if row.retired_at is None:
        following = next(schedule.instants(row.planned_until, row.anchor), None)
        facts.append(ScheduleProgress(label, row.planned_until, row.next_due, following))
    return Expectation(tuple(facts), capped)


def _counts_from(row: Any, schedule: Schedule) -> datetime:
    """Return the instant after which the stored definition decides, and every instant has its run.

    The anchor is when its timing was first seen, or changed; runs of instants up to ``pruned_until`` may be gone.
    """
    anchor: datetime = row.anchor
    decides = first_state(schedule, anchor).planned_until if anchor == row.created_at else anchor + AFTER_A_CHANGE
    return decides if row.pruned_until is None else max(decides, row.pruned_until)


def _latest(
    schedule: Schedule, after: datetime, until: datetime, anchor: datetime, most: int
) -> tuple[list[datetime], bool]:
    """Return the latest ``most`` instants up to ``until``, and whether there are more.

    It looks back in growing steps, because enumerating years of instants would take too long.
    """
    span = timedelta(days=1)
    while True:
        all_of_it = until - after <= span
        begin = after if all_of_it else until - span
        found = deque(takewhile(lambda instant: instant <= until, schedule.instants(begin, anchor)), maxlen=most + 1)
        if all_of_it or len(found) > most:
            return list(found)[-most:], len(found) > most
        span *= 4
