"""The schedules that a replica leaves to others for a while, because its FILE has changed (rule 22)."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class _Wait:
    seconds: float
    ends: float


class SetAside:
    """Waits before the runs of a schedule are claimed here again.

    Children of this replica found that FILE has another schedule of that name, or none. A replica
    whose FILE is as it was claims those runs meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._waits: dict[str, _Wait] = {}

    def __bool__(self) -> bool:
        return bool(self._waits)

    def put(self, schedule: str) -> None:
        """Leave the runs of a schedule to others, for twice as long as the time before."""
        before = self._waits.get(schedule)
        seconds = FIRST_PAUSE if before is None else min(before.seconds * 2, LONGEST_PAUSE)
        self._waits[schedule] = _Wait(seconds, self._clock() + seconds)

    def take_back(self, schedule: str) -> None:
        """Claim its runs again: a child has found it as it was."""
        self._waits.pop(schedule, None)

    def names(self) -> frozenset[str]:
        """Return the schedules whose runs may not be claimed now."""
        now = self._clock()
        return frozenset(name for name, wait in self._waits.items() if wait.ends > now)

    def until_next(self) -> float | None:
        """Return the seconds until a wait ends; None if there is none."""
        left = [wait.ends - self._clock() for wait in self._waits.values()]
        return min((seconds for seconds in left if seconds > 0), default=None)
