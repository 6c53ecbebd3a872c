"""A process that sleeps and works a moment, as a replica does, and notes how late each round was.

A round is late by what it took beyond its sleep and its work: the machine ran others meanwhile. With
``--disk`` it also writes now and then, as SQLite does, and is late by what the disk takes for longer
than usual.
Only the standard library, so that it starts at once:

    python -I -S yardstick.py [--disk] >FILE   (a line per round: when it began, when it ended, how late it was)
"""

import os
import sys
import time

SLEEP = 0.005
WORK = 0.001
NOISE = 0.0005
"""Seconds by which any round is late: no timer is exact."""
SYNC_EVERY = 0.05
SYNC = 0.02
"""Seconds that the disk may take for a write, one in each `SYNC_EVERY` seconds."""
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """The clock of `lease.clock` (on Linux): the same in every process of this machine."""
    return time.clock_gettime(_BOOTTIME)


def measure(parent: int, *, disk: bool) -> None:
    """Sleep, work and write by turns, and note each round, until the tests are gone."""
    sync = getattr(os, "fdatasync", os.fsync)
    began, used = boottime(), time.process_time()
    synced = began
    while os.getppid() == parent:
        time.sleep(SLEEP)
        while time.process_time() - used < WORK:
            pass
        stalled = 0.0
        if disk and (wrote := boottime()) - synced > SYNC_EVERY:
            sync(1)
            synced = boottime()
            stalled = synced - wrote
        ended, worked = boottime(), time.process_time() - used
        waited = ended - began - SLEEP - worked - stalled
        late = (waited if waited > NOISE else 0.0) + max(0.0, stalled - SYNC)
        os.write(1, f"{began:.6f} {ended:.6f} {late:.6f}\n".encode())
        began, used = ended, used + worked


if __name__ == "__main__":
    measure(os.getppid(), disk="--disk" in sys.argv)
