"""The clock that measures a holder's trust: it counts suspended time, and cannot be set (rule 2)."""

import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:  # whoever needs a clock alone, as a child process does, loads no event loop
    from asyncio import AbstractEventLoop
    from concurrent.futures import Future

Clock = Callable[[], float]
"""Seconds since some fixed moment; never set, never backwards."""


@runtime_checkable
class DrivenClock(Protocol):
    """A clock that a test moves, and by which the library's event loop goes too (`lease.testing`)."""

    def __call__(self) -> float:
        """Return the time in seconds."""

    def new_loop(self) -> "AbstractEventLoop":
        """Return an event loop that goes by this clock."""

    def asked(self, future: "Future[Any]", patience: float | None) -> None:
        """Take note of a call that waits for ``future``. Time may pass by itself until it is done:
        at once, or after ``patience`` in real seconds; with None the call may wait for its turn.
        """


if sys.platform == "linux":
    _CLOCK = time.CLOCK_BOOTTIME
elif sys.platform == "darwin":
    _CLOCK = time.CLOCK_MONOTONIC_RAW
else:
    _CLOCK = None


def boottime() -> float:
    """Return the seconds since the machine started, suspended time included where the platform counts it."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@cache  # no process outlives it, and SQLite's statements have it several times each
def boot_id() -> str:
    """Return an id of this start of the machine; empty where the platform has none, or hides it (systemd's
    ``ProcSubset=pid``, a sandbox).
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
