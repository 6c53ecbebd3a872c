"""A process that sleeps and works a moment, as a replica does, and notes how late each round was.

A round is late by what it took beyond its sleep and its work: the machine ran others meanwhile.
Only the standard library, so that it starts at once:

    python -I -S yardstick.py     (a line per round: when it began, when it ended, how late it was)
"""

import os
import time

SLEEP = 0.005
WORK = 0.001
NOISE = 0.0005
"""Seconds by which any round is late: no timer is exact."""
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """The clock of `lease.clock` (on Linux): the same in every process of this machine."""
    return time.clock_gettime(_BOOTTIME)


def measure(parent: int) -> None:
    """Sleep and work by turns, and tell of each round, until the tests are gone."""
    began, used = boottime(), time.process_time()
    while os.getppid() == parent:
        time.sleep(SLEEP)
        while time.process_time() - used < WORK:
            pass
        ended, worked = boottime(), time.process_time() - used
        late = ended - began - SLEEP - worked
        os.write(1, f"{began:.6f} {ended:.6f} {late if late > NOISE else 0.0:.6f}\n".encode())
        began, used = ended, used + worked


if __name__ == "__main__":
    measure(os.getppid())
