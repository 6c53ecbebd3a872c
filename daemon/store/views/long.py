"""From when on a run is long: the thresholds of its schedule, and which of them it has passed. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...states import LongLevel
from ...text import how_long
from ..policies import GivenLong
from .usual import Usual

ENOUGH_RUNS = 10
"""Successful runs after which the usual duration of a schedule says what is unusual."""
UNUSUAL = 1.5
"""A run that takes longer than so many times the p95 is unusual."""
DEFAULT_THRESHOLDS: Mapping[LongLevel, float] = MappingProxyType(
    {"warn": 600.0, "critical": 1800.0, "emergency": 3000.0}
)
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Long:
    """That a run has been running for long."""

    level: LongLevel
    threshold: float
    """The seconds from which on it is at this level."""
    usual: Usual | None
    """How long the runs of its schedule take, if that is known."""

    @property
    def text(self) -> str:
        """It in words, as the end of a sentence."""
        return how_long(self.level, self.threshold)


def may_be_long(seconds: float, given: GivenLong) -> bool:
    """Return whether a run that has been running for so many seconds can be long; if not, nobody need know how long its
    runs usually take.
    """
    return seconds > min(thresholds(given, None).values(), default=math.inf)


def thresholds(given: GivenLong, usual: Usual | None) -> Mapping[LongLevel, float]:
    """Return from how many seconds on a run is at each level: as was given, otherwise by default, but then not before it
    takes unusually long.
    """
    if given is not None:
        return given or {}
    if usual is None or usual.runs < ENOUGH_RUNS:
        return DEFAULT_THRESHOLDS
    return {level: max(seconds, UNUSUAL * usual.p95) for level, seconds in DEFAULT_THRESHOLDS.items()}


def long_for(seconds: float, given: GivenLong, usual: Usual | None) -> Long | None:
    """Return the highest level of a run that has been running for so many seconds; None: it is not long."""
    passed = [Long(level, least, usual) for level, least in thresholds(given, usual).items() if seconds > least]
    return passed[-1] if passed else None
