"""The schedules that a replica leaves to others for a while, because its FILE has changed (rule 22)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class _Wait:
    seconds: float
    ends: float


class SetAside:
    """Waits before the runs of a schedule are claimed here again; ``known`` are all run digests by schedule.

    Children of this replica found that FILE has another schedule of that name, or none. A replica
    whose FILE is as it was claims those runs meanwhile.
    """

    def __init__(self, known: Mapping[str, str], clock: Callable[[], float] = monotonic) -> None:
        self._known = known
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

    def claimable(self) -> Mapping[str, str]:
        """Return the run digest of each schedule; where its runs may not be claimed now, one that no run has."""
        if not self._waits:
            return self._known
        now = self._clock()
        waiting = {name for name, wait in self._waits.items() if wait.ends > now}
        return {name: "" if name in waiting else digest for name, digest in self._known.items()}

    def until_next(self) -> float | None:
        """Return the seconds until a wait ends; None if there is none."""
        left = [wait.ends - self._clock() for wait in self._waits.values()]
        return min((seconds for seconds in left if seconds > 0), default=None)
