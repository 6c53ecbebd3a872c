"""The wall clock of a test, which moves only when the test moves it; and the error of a test that asks too much."""

from datetime import datetime, timedelta

from lease.durations import Duration, parse_duration

from ..errors import DaemonError
from ..instants import parse_instant


class ManualTimeOfDay:
    """A wall clock that only the test moves.

    It decides what is due; leases go by the machine's own clock.
    """

    def __init__(self, instant: str | datetime) -> None:
        self._now = parse_instant(instant)

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now

    def set(self, instant: str | datetime) -> None:
        """Set the clock, forward or back: RFC 3339, or a `datetime` with a time zone."""
        self._now = parse_instant(instant)

    def advance(self, duration: Duration) -> None:
        """Move the clock forward by ``"90s"``, ``"1h"`` or a number of seconds."""
        self._now += timedelta(seconds=parse_duration(duration))


class Misuse(DaemonError, RuntimeError):
    """This package was used in a way that cannot work; the message says what to do instead."""
