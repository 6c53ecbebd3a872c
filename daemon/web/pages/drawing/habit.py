"""The bar of a run that is running: how long it has taken, against how long its schedule's runs usually take."""

from dataclasses import dataclass

_ROOM = 1.12
"""The track is so many times as long as the longest that is on it."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Positions on the track, in percent of its length."""

    usual: float
    """How far the bar goes until the p95 …"""
    over: float
    """… and how much further."""
    median: float
    p95: float


def habit(seconds: float, median: float, p95: float) -> Habit:
    """Return the bar of a run that has been running for so many seconds."""
    whole = _ROOM * max(seconds, p95, 0.001)
    parts = (min(seconds, p95), max(seconds - p95, 0.0), median, p95)
    return Habit(*(round(max(part, 0.0) / whole * 100, 1) for part in parts))
