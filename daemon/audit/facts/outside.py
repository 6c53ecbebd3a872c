"""What happens to the system from outside."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which no replica could recover anything: the database was away or held up, say."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Starved:
    """A time in which this machine kept a process waiting that was ready to run, or that waited for its disk."""

    began: datetime
    ended: datetime
    late: timedelta
    """For how much of this time."""


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The database's clock was set forward: grants may overlap there (rule 1)."""

    at: datetime


def starved(history: Iterable[object], since: datetime, until: datetime) -> timedelta:
    """Return for how much of this time a process was kept waiting."""
    return sum(
        (
            min(fact.late, max(timedelta(), min(fact.ended, until) - max(fact.began, since)))
            for fact in history
            if isinstance(fact, Starved)
        ),
        timedelta(),
    )
