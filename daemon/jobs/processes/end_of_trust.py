"""The end of trust as other processes than the replica read it, from its page (rules 9, 20).

Only the standard library, because the keeper runs this file too.
"""

import os
import struct
import sys
import time

PAGE = struct.Struct("=Qd")
"""The number of the page that stands there now, and its end of trust."""


def boottime() -> float:
    """Return the time on the clock of `lease.clock`, which counts suspended time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC_RAW)


def trusted_until(fd: int, place: int, number: int) -> float:
    """Return the end of trust from a page; 0 if that has been given back.

    It is read twice, since so many bytes may not be written atomically.
    """
    page = os.pread(fd, PAGE.size, place)
    while (again := os.pread(fd, PAGE.size, place)) != page:
        page = again
    found, until = PAGE.unpack(page)
    return float(until) if found == number else 0.0
