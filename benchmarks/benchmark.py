"""A benchmark, as the registry lists it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .figures import Figure
from .site import Site


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: its name and description for people, and the function that measures."""

    key: str
    title: str
    how: str
    """The prose above its table: what is done and what the figures are."""
    measure: Callable[[Site], Sequence[Figure]]
    beside: tuple[str, ...] = ()
    """The distributions whose versions matter too."""
    why_not_more: str = ""
    """Where the time or the memory goes, for as long as some bound is not kept."""
