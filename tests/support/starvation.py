"""The time for which this machine kept a process waiting that was ready to run.

Some promises are made in seconds: the work of a dead replica is gone within one. An overloaded
machine breaks them, and on SQLite a disk that stalls. So a test that measures one runs a yardstick
beside it, a process that does what replicas do, and subtracts how late that was meanwhile, and no
more. On an idle machine that is almost nothing.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from . import yardstick
from .waiting import wait_until
from .yardstick import boottime


class Starvation:
    """What the yardstick has measured; it works until the end of `measured`."""

    def __init__(self, rounds: Path, pid: int) -> None:
        self._rounds = rounds
        self.pid = pid

    def between(self, since: float, until: float) -> float:
        """Return for how many seconds of this span (since boot) a ready process did not run, or waited for the disk."""
        wait_until(lambda: any(ended > until for _, ended, _ in self.rounds()[-1:]), "the yardstick has come so far")
        return sum(min(late, max(0.0, min(ended, until) - max(began, since))) for began, ended, late in self.rounds())

    def assert_within(self, promised: float, since: float, until: float, what: str) -> None:
        """Fail unless it took less than promised, minus the time that machine or disk was busy with others."""
        took, late = until - since, self.between(since, until)
        said = f"{what}: it took {took:.3f} s, and for {late:.3f} s of them this machine was busy with others"
        assert took - late < promised, f"{said}; {promised:g} s are promised"

    def rounds(self) -> list[tuple[float, float, float]]:
        """Return when each round began and ended, and how late it was."""
        whole, _, _ = self._rounds.read_text().rpartition("\n")
        rounds = (line.split() for line in whole.splitlines())
        return [(float(began), float(ended), float(late)) for began, ended, late in rounds]


@contextmanager
def measured(folder: Path, *, disk: bool = False) -> Iterator[Starvation]:
    """Measure beside the block, with a file in this folder; also its ``disk``."""
    rounds = folder / "yardstick"
    command = [sys.executable, "-I", "-S", yardstick.__file__, *(["--disk"] if disk else [])]
    with (
        rounds.open("wb") as output,
        subprocess.Popen(command, stdout=output, cwd="/") as process,
    ):
        try:
            wait_until(lambda: rounds.stat().st_size, "the yardstick is at work")
            yield Starvation(rounds, process.pid)
        finally:
            process.kill()


def boottime_of(instant: datetime) -> float:
    """Return where an instant of the wall clock stands on the clock since boot."""
    return instant.timestamp() - time.time() + boottime()
