"""What `/livez` and `/readyz` tell: plain values that the service hands out and the web server renders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Beat:
    """How long ago a loop last came round, and how long that may be, in seconds."""

    age: float
    limit: float

    @property
    def alive(self) -> bool:
        """It came round in time."""
        return self.age <= self.limit


Loops = Callable[[], Mapping[str, Beat]]
"""Returns the last beat of each loop of the replica, by its name. Called from the web server's thread; must not wait."""
Problems = Callable[[], Mapping[str, str]]
"""Returns what keeps the replica from being ready: a sentence for each failing check, by its name; none when it is ready.
Called from the web server's thread; must not wait."""
Counts = Callable[[], Mapping[str, int]]
"""Returns how often something happened since the replica started, by its name. Called as the others."""
