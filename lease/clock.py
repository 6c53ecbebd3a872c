"""The clock that measures a holder's trust: it counts suspended time, and cannot be set (rule 2)."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

Clock = Callable[[], float]
"""Seconds since some fixed moment; never set, never backwards."""

if sys.platform == "linux":
    _CLOCK = time.CLOCK_BOOTTIME
elif sys.platform == "darwin":
    _CLOCK = time.CLOCK_MONOTONIC_RAW
else:
    _CLOCK = None


def boottime() -> float:
    """Return the seconds since the machine started, suspended time included where the platform
    counts it.
    """
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return an id of this start of the machine; empty where the platform has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
