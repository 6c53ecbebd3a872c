"""The steps of the database's clock in a campaign: how far next, and what the clock showed when. Pure.

All moments are readings of the clock since boot, which no step moves, in seconds.

kept    within what rule 1 assumes: no more than ttl - give_up - kill_time in one ttl, in either direction
broken  far beyond it: a minute to an hour, forward and back
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, inf, log
from random import Random
from typing import Literal

from lease.timing import LeaseTiming

from ..history import Clocks
from ..judgement import TTL

DECIDED = timedelta(seconds=0.5)
"""How long before its witness looked at the clock a statement may have looked at it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the clock."""

    at: float
    seconds: float


class Steps:
    """By how much the clock was ahead: a step function."""

    def __init__(self, steps: Sequence[Step] = ()) -> None:
        self.steps = tuple(sorted(steps, key=lambda step: step.at))

    def latest(self, since: float, until: float) -> float:
        """Return the furthest that the clock showed in a span, as if it had not been moved at all
        before the first step.
        """
        return max(min(until, end) + ahead for start, end, ahead in self._spans() if start <= until and end > since)

    def least_ahead(self, since: float, until: float) -> float:
        """Return by how much it was ahead at the least in that span."""
        return min(ahead for start, end, ahead in self._spans() if start <= until and end > since)

    def first(self, shown: float, since: float) -> float:
        """Return the first moment from ``since`` on at which the clock showed this, or more."""
        return next(
            moment
            for start, end, ahead in self._spans()
            if (moment := max(start, since, shown - ahead)) < end or end == inf
        )

    def _spans(self) -> Iterator[tuple[float, float, float]]:
        """Yield (from, until, by how much it was ahead)."""
        ahead = 0.0
        for step, following in pairwise((Step(-inf, 0.0), *self.steps, Step(inf, 0.0))):
            ahead += step.seconds
            yield step.at, following.at, ahead


@dataclass(frozen=True, slots=True)
class SteppedClocks(Clocks):
    """The clocks of a campaign in which that of the database steps."""

    steps: Steps

    def reading(self, boot: float) -> float:
        """Return the furthest that it showed just before: where it steps back, a statement may have
        looked at it before that.
        """
        return self.steps.latest(boot - DECIDED.total_seconds(), boot) + self.offset

    def is_past(self, instant: datetime, boot: float) -> bool:
        """A clock that stepped back may have shown less: the database then does not know since when."""
        ahead = self.steps.least_ahead(boot - DECIDED.total_seconds(), boot)
        return boot + ahead + self.offset >= instant.timestamp()

    def when_shown(self, instant: datetime, since: float) -> float:
        return self.steps.first(instant.timestamp() - self.offset, since)

    def furthest(self, at: datetime) -> datetime:
        """Return the furthest that it had ever shown at an instant."""
        return datetime.fromtimestamp(self.steps.latest(-inf, self.boot(at)) + self.offset, UTC)

    def shown_at(self, at: datetime) -> datetime:
        """Return `reading` at an instant."""
        return datetime.fromtimestamp(self.reading(self.boot(at)), UTC)

    def stale_from(self, until: datetime, since: datetime) -> datetime:
        """Return the first instant from ``since`` on at which what lasts ``until`` was stale by it."""
        return self.instant(self.when_shown(until, self.boot(since)))

    def boot(self, at: datetime) -> float:
        """Return the reading of the clock since boot at an instant."""
        return at.timestamp() - self.offset

    @classmethod
    def of(cls, clocks: Clocks, steps: Steps) -> "SteppedClocks":
        return cls(clocks.began, clocks.offset, steps)


Kind = Literal["kept", "broken"]
_TIMING = LeaseTiming(TTL)
ASSUMED = _TIMING.ttl - _TIMING.give_up - _TIMING.kill_time
"""Seconds by which the clock may step in one ttl, by rule 1."""
FAR = (60.0, 3600.0)
"""Seconds by which it steps beyond that."""
GAIN = 60.0
"""How many times as fast as a right clock one goes, in the long run, that steps far forward."""
_FURTHEST = 2.0
"""Seconds by which a clock is wrong at most that steps as rule 1 assumes."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A step to come."""

    seconds: float
    stands: float
    """Seconds until the next one."""


def walk(kind: Kind, seed: int) -> Iterator[Planned]:
    """Yield the steps, without end; the seed decides them."""
    chance = Random(f"{seed}/clock")
    return _kept(chance) if kind == "kept" else _broken(chance)


def gain(kind: Kind, seconds: float) -> float:
    """Return by how much a clock gets ahead in so many seconds, at most."""
    return seconds * GAIN + FAR[1] if kind == "broken" else 0.0


def _kept(chance: Random) -> Iterator[Planned]:
    ahead = 0.0
    while True:
        step = chance.choice((-1, 1)) * chance.choice((ASSUMED, chance.uniform(0.1, 1.0) * ASSUMED))
        if abs(ahead + step) > _FURTHEST:
            step = -step
        step = round(step, 3)
        ahead = round(ahead + step, 3)
        yield Planned(step, chance.uniform(1.0, 2.0) * TTL + 0.1)


def _broken(chance: Random) -> Iterator[Planned]:
    """While the clock is behind what it has shown, nothing is due, so it is not for long."""
    passed = ahead = furthest = 0.0
    while True:
        if ahead < furthest:
            beyond = chance.choice((0.0, _far(chance))) if furthest < passed * GAIN else 0.0
            step, stands = furthest - ahead + beyond, chance.uniform(3.0, 8.0)
        elif furthest < passed * GAIN and chance.random() < 0.5:
            step, stands = _far(chance), chance.uniform(3.0, 8.0)
        else:
            step, stands = -_far(chance), chance.uniform(2.0, 5.0)
        step = round(step, 3)
        ahead = round(ahead + step, 3)
        furthest = max(furthest, ahead)
        passed += stands
        yield Planned(step, stands)


def _far(chance: Random) -> float:
    return exp(chance.uniform(*map(log, FAR)))
