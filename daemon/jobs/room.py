"""The room that the machine has for attempts: how many fit beside one another, and what it is short of when one cannot
be begun (rule 25); and the schedules that a replica leaves to others for a while: its FILE has changed (rule 22).
"""

import errno
import os
from collections.abc import Callable
from time import monotonic

from lease.durations import next_wait

from ..errors import DaemonError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
"""Seconds."""


class Room:
    """Room for ``places`` runs, until an attempt could not be begun because the machine was short of something.

    From then on no more runs are started than attempts were at work at that moment: as one of them ends, another
    follows. After a pause, which doubles as long as that is to no avail, one more is tried, and each that can be begun
    doubles how many, until there is room for all again.
    """

    def __init__(self, places: int, clock: Callable[[], float] = monotonic) -> None:
        self.taken = 0
        """The runs in it, whether or not one of their attempts is at work."""
        self._places = places
        self._clock = clock
        self._at_work = 0
        self._fits: int | None = None
        self._step = 1
        self._pause = self._pause_ends = 0.0

    @property
    def is_short(self) -> bool:
        return self._fits is not None

    @property
    def left(self) -> int:
        """The runs that may be added now; less than none where there are more than fit."""
        if self._fits is None:
            return self._places - self.taken
        return min(self._places, self._fits if self._is_paused() else self._fits + self._step) - self.taken

    def begin(self) -> None:
        """Count an attempt whose work was begun."""
        self._at_work += 1
        if self._fits is not None and self._at_work > self._fits:
            self._fits, self._step = self._at_work, self._step * 2
            if self._fits + self._step >= self._places:
                self._fits, self._pause = None, 0.0

    def end(self) -> None:
        self._at_work -= 1

    def run_short(self) -> None:
        """Note that an attempt could not be begun. Those that hit the same shortage prolong no pause."""
        if self._fits is None or not self._is_paused():
            self._pause = next_wait(self._pause, FIRST_PAUSE, LONGEST_PAUSE)
            self._pause_ends = self._clock() + self._pause
        self._fits, self._step = self._at_work, 1

    def until_next(self) -> float | None:
        """Return the seconds until one more may be tried; None if nothing is waited for."""
        return self._pause_ends - self._clock() if self._fits is not None and self._is_paused() else None

    def _is_paused(self) -> bool:
        return self._clock() < self._pause_ends


# What it is short of

_LACKS = {
    errno.EMFILE: (
        "this process has run out of file descriptors",
        "count them with `ls /proc/{pid}/fd | wc -l`, and see `ulimit -n`, or LimitNOFILE= of a service",
    ),
    errno.ENFILE: (
        "this machine has run out of file descriptors",
        "see /proc/sys/fs/file-nr and /proc/sys/fs/file-max",
    ),
    errno.EAGAIN: (
        "no more processes or threads can be started",
        "see `ulimit -u`, and pids.max of the cgroup (TasksMax= of a service)",
    ),
    errno.ENOMEM: (
        "there is not enough memory for another process",
        "see `free -m`, and memory.max of the cgroup (MemoryMax= of a service)",
    ),
    errno.ENOSPC: ("there is no space left for temporary files", "see `df -h ${{TMPDIR:-/tmp}}`"),
}


class Shortage(DaemonError):
    """The machine lacks what something takes; of an attempt, nothing ran, and it uses up nothing."""


def shortage(error: BaseException, so: str = "the job was not started and no attempt was used") -> Shortage | None:
    """Return what the machine is short of by this error, and what comes of it; None if it says something else."""
    match error:
        case OSError(errno=int() as number) if number in _LACKS:
            pass
        case MemoryError():
            number = errno.ENOMEM
        case RuntimeError(args=(str() as said,)) if said.startswith("can't start new thread"):
            number = errno.EAGAIN  # Python has no number for that
        case _:
            return None
    lack, remedy = _LACKS[number]
    return Shortage(f"{lack}, so {so}; {remedy.format(pid=os.getpid())}")


# What is left to others

FIRST_PAUSE_ASIDE = 5.0


class SetAside:
    """Waits before the runs of a schedule are claimed here again, because children found another one of that name in FILE,
    or none. A replica whose FILE is as it was claims those runs meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._waits: dict[str, tuple[float, float]] = {}
        """By schedule how long its wait takes, and when that ends."""

    def __bool__(self) -> bool:
        return bool(self._waits)

    def put(self, schedule: str) -> None:
        """Leave the runs of a schedule to others, for twice as long as the time before."""
        before, _ = self._waits.get(schedule, (0.0, 0.0))
        seconds = next_wait(before, FIRST_PAUSE_ASIDE, LONGEST_PAUSE)
        self._waits[schedule] = seconds, self._clock() + seconds

    def take_back(self, schedule: str) -> None:
        """Claim its runs again: a child has found it as it was."""
        self._waits.pop(schedule, None)

    def names(self) -> set[str]:
        """Return the schedules whose runs may not be claimed now."""
        now = self._clock()
        return {name for name, (_, ends) in self._waits.items() if ends > now}

    def until_next(self) -> float | None:
        """Return the seconds until a wait ends; None if there is none."""
        now = self._clock()
        return min([ends - now for _, ends in self._waits.values() if ends > now], default=None)
