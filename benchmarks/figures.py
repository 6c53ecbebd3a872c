"""Figures: what one benchmark measured, round by round, and what was asked for."""

from dataclasses import dataclass
from statistics import median
from typing import Literal, assert_never

Unit = Literal["runs/s", "/s", "s", "ms", "%", "MB", "x", ""]
"""`x` is a ratio, "" a plain number."""


@dataclass(frozen=True, slots=True)
class Must:
    """A bound that was set before anything was measured."""

    at: Literal["least", "most"]
    limit: float

    def met(self, value: float) -> bool:
        """Return whether this value keeps it."""
        match self.at:
            case "least":
                return value >= self.limit
            case "most":
                return value <= self.limit
            case _:
                assert_never(self.at)

    def share(self, value: float) -> float:
        """Return how much of what is allowed was used: 1 is the bound, more than 1 is too much."""
        used, allowed = (value, self.limit) if self.at == "most" else (self.limit, value)
        if allowed:
            return used / allowed
        return 0.0 if used == 0 else float("inf")


def at_least(limit: float) -> Must:
    """Return the bound from below."""
    return Must("least", limit)


def at_most(limit: float) -> Must:
    """Return the bound from above."""
    return Must("most", limit)


@dataclass(frozen=True, slots=True)
class Floor:
    """The same without leased, or with another program, measured in the same rounds."""

    name: str
    rounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page, on one kind of database."""

    label: str
    unit: Unit
    rounds: tuple[float, ...]
    """At least one value, in the order in which they were measured."""
    database: str = ""
    """Empty where there is none, or none that matters."""
    floor: Floor | None = None
    must: Must | None = None
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def range(self) -> tuple[float, float]:
        return min(self.rounds), max(self.rounds)

    @property
    def ratio(self) -> float | None:
        """To the floor *of the same round*; the median over the rounds."""
        ratios = against(self.rounds, () if self.floor is None else self.floor.rounds)
        return median(ratios) if ratios else None

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the bound; None where there is none."""
        return None if self.must is None else self.must.met(self.median)


def against(rounds: tuple[float, ...], others: tuple[float, ...]) -> tuple[float, ...]:
    """Return the ratio of each round to that of another in the same round."""
    return tuple(one / other for one, other in zip(rounds, others, strict=False) if other)
