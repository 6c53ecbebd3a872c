"""A process that sleeps, works a moment and writes to disk, as a replica does, and notes how late each round was.

A round is late by what it took beyond its sleep and its work: the machine ran others meanwhile, or
its disk did not answer.
Only the standard library, so that it starts at once:

    python -I -S yardstick.py >FILE   (a line per round: when it began, when it ended, how late it was)
"""

import os
import time

SLEEP = 0.005
WORK = 0.001
NOISE = 0.0005
"""Seconds by which any round is late: no timer is exact."""
SYNC_EVERY = 0.05
SYNC = 0.02
"""Seconds that the disk may take for a write in each `SYNC_EVERY` seconds: what takes longer is late."""
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """The clock of `lease.clock` (on Linux): the same in every process of this machine."""
    return time.clock_gettime(_BOOTTIME)


def measure(parent: int) -> None:
    """Sleep, work and write by turns, and note each round, until the tests are gone."""
    began, used = boottime(), time.process_time()
    synced = began
    while os.getppid() == parent:
        time.sleep(SLEEP)
        while time.process_time() - used < WORK:
            pass
        noise = NOISE
        if boottime() - synced > SYNC_EVERY:
            os.fdatasync(1)
            synced, noise = boottime(), SYNC
        ended, worked = boottime(), time.process_time() - used
        late = ended - began - SLEEP - worked
        os.write(1, f"{began:.6f} {ended:.6f} {late if late > noise else 0.0:.6f}\n".encode())
        began, used = ended, used + worked


if __name__ == "__main__":
    measure(os.getppid())
