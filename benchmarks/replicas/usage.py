"""The CPU time and the memory of processes (Linux)."""

import time
from contextlib import suppress
from pathlib import Path

from tests.support.postgres import children_of

MB = 1_000_000
_KIB = 1024
_CPU_CLOCK = 2
"""CPUCLOCK_SCHED: the clock of a process's id that counts the CPU time of all its threads, in nanoseconds."""


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a living process has used, those of its threads that have ended too."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def cpu_of_tree(pid: int) -> float:
    """Return the same of a process and all its living descendants."""
    seconds = 0.0
    for one in tree_of(pid):
        with suppress(OSError):
            seconds += cpu_of(one)
    return seconds


def tree_of(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    return [pid, *(one for child in children_of(pid) for one in tree_of(child))]


def resident(pid: int) -> float:
    """Return the MB of memory of a process that are resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * _KIB / MB
