"""The content of `/livez` and `/readyz`: plain values that the web server gets from the service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """How long ago a loop last ticked, and how long that may be, in seconds."""

    age: float
    limit: float

    @property
    def alive(self) -> bool:
        """Whether it ticked in time."""
        return self.age <= self.limit


Loops = Callable[[], Mapping[str, Beat]]
"""Returns the last beat of each loop of the replica by name.

Called on the web server's thread; must not wait.
"""
Problems = Callable[[], Mapping[str, str]]
"""Returns a sentence for each failing check by name; empty when the replica is ready.

Called on the web server's thread; must not wait.
"""
Counts = Callable[[], Mapping[str, int]]
"""Returns counts of events since the replica started, by name.

Called on the web server's thread; must not wait.
"""
Blocked = Callable[[], str | None]
"""Returns what blocks the replica's async jobs. Called on the web server's thread; must not wait."""

Standing = Callable[[], str | None]
"""Returns how the replica's definitions stand and what comes next, unless they are current.

Called on the web server's thread; must not wait.
"""
