"""Measurement in turns: each round has a batch of every contender, so that whatever else the machine
does affects all of them, and a ratio compares what was measured at the same moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

_BATCH = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """The time that one contender took."""

    name: str
    seconds: float
    """The median of all its times."""
    yardstick: str | None
    ratio: float | None
    """To the yardstick: in each round that of the medians, and of those the median."""


def alternate(
    contenders: Mapping[str, Callable[[int], list[float]]],
    yardsticks: Mapping[str, str | None],
    *,
    number: int,
    batch: int = _BATCH,
) -> list[Measured]:
    """Time each contender ``number`` times, in batches, after one batch to warm up."""
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    every: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(max(1, number // batch) + 1):
        for name, times in contenders.items():
            seconds = times(batch)
            if turn:
                rounds[name].append(median(seconds))
                every[name] += seconds
    return [
        Measured(name, median(every[name]), yardsticks[name], _ratio(rounds, name, yardsticks[name]))
        for name in contenders
    ]


def _ratio(rounds: Mapping[str, list[float]], name: str, yardstick: str | None) -> float | None:
    if yardstick is None:
        return None
    return median(one / other for one, other in zip(rounds[name], rounds[yardstick], strict=True))
