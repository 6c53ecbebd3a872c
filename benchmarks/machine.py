"""The machine that the figures are of: what matters to them, and nothing that names it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter

_FLUSHES = 20
_PAGE = b"\0" * 8192


@dataclass(frozen=True, slots=True)
class Machine:
    """Its facts."""

    cores: int
    """That this process may use."""
    system: str
    python: str
    flush: float
    """Seconds that it takes to write a page and have it on the disk, where the databases lie; the median."""


def this_machine(folder: Path) -> Machine:
    """Look at this machine, whose databases will lie in ``folder``."""
    system = f"{platform.system()} {platform.machine()}"
    return Machine(_cores(), system, platform.python_version(), _flush(folder))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _flush(folder: Path) -> float:
    seconds = []
    with TemporaryFile(dir=folder) as file:
        for _ in range(_FLUSHES):
            began = perf_counter()
            file.write(_PAGE)
            file.flush()
            os.fsync(file.fileno())
            seconds.append(perf_counter() - began)
    return median(seconds)
