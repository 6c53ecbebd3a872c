"""The choice of the runs that go, by what a schedule keeps. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

DAY = 86_400.0
LEAST_AGE = 3_600.0
"""Seconds after its end for which a run is kept whatever `keep` says: what is said of it late still comes in."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run, as it is looked at."""

    id: int
    scheduled: bool
    """Its instant was due; otherwise it was requested."""
    last: datetime
    """The instant that it stands for; of a counted row the last one."""
    created_for: float
    """Seconds since it was created."""
    ended_for: float | None
    """Seconds since it ended; None if it is not over."""
    goes_on: bool
    """It is the counted row of the present stretch, which may be extended."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The runs that go of those that were looked at, in the order of their ids."""

    ids: tuple[int, ...]
    until: datetime | None
    """The latest instant among those that were due; None if there are none."""
    after: int
    """The next look begins behind this run."""
    more: bool
    """There may be more behind it."""


def age_kept(keep: Mapping[str, int]) -> float:
    """Return how many seconds after its end a run is kept at least."""
    return max(LEAST_AGE, keep.get("days", 0) * DAY)


def choose(seen: Sequence[Seen], age: float, after: int, limit: int) -> Outdated:
    """Return which of these runs go: those that ended more than ``age`` seconds ago, all of which are beyond
    the newest that are kept.

    They are the first ``limit`` ones with an id above ``after``. None that was created less than ``age``
    seconds ago can have ended before that, so that nothing behind it need be looked at.
    """
    gone = [run for run in seen if run.ended_for is not None and run.ended_for > age and not run.goes_on]
    if not seen:
        return Outdated((), None, after, more=False)
    last = seen[-1]
    return Outdated(
        tuple(run.id for run in gone),
        max((run.last for run in gone if run.scheduled), default=None),
        last.id,
        more=len(seen) == limit and last.created_for > age,
    )
