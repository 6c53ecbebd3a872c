"""The pause of a schedule: between which moments its instants do not run (rule 13). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Pause:
    """Instants after ``since`` and before ``until`` do not run; without ``until``, until it is resumed."""

    since: datetime
    until: datetime | None = None

    def is_over(self, planned_until: datetime) -> bool:
        """Return whether all that it keeps from running is accounted for."""
        return self.until is not None and planned_until >= self.until


class PlannedSpan(NamedTuple):
    """A part of the time that is planned: up to and including ``end``."""

    is_paused: bool
    end: datetime


def spans(pause: Pause | None, after: datetime, now: datetime) -> Iterator[PlannedSpan]:
    """Yield the parts of the time after ``after``, up to ``now``: before the pause, in it, and after it."""
    edges = [PlannedSpan(is_paused=False, end=now)]
    if pause is not None:
        paused_to = now if pause.until is None else pause.until - _TICK
        edges[:0] = [PlannedSpan(is_paused=False, end=pause.since), PlannedSpan(is_paused=True, end=paused_to)]
    for is_paused, edge in edges:
        end = min(edge, now)
        if end > after:
            yield PlannedSpan(is_paused, end)
            after = end
