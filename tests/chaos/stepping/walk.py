"""The walks of a clock that steps: how far next, and for how long it then stands. Pure.

kept    within what rule 1 assumes: no more than ttl - give_up - kill_time in one ttl, in either direction
broken  far beyond it: a minute to an hour, forward and back
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from random import Random
from typing import Literal

from lease.timing import LeaseTiming

from ..judgement import TTL

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
