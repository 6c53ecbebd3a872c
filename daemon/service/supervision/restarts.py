"""The waits before a replica that ended is started again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Restarts:
    """The waits before a replica is restarted, in seconds."""

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 60.0
    """After a life this long, the next wait is the first again."""

    def wait(self, previous: float | None, lived: float) -> float:
        """Return the next wait, given the previous one, if any, and how long the replica lived."""
        if previous is None or lived >= self.healthy_after:
            return self.first
        return min(previous * 2, self.longest)
