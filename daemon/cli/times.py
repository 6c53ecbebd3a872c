"""Times as screens show them: how long ago, or by the clock of this machine's time zone; in full, with --utc or in a pipe."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..text import ago, when
from .screen import for_people

_NEAR = timedelta(days=1)
"""Within so much, a moment is shown by how far away it is …"""
_BY_NAME = timedelta(days=6)
"""… and within so much by the day of the week."""


@dataclass(frozen=True, slots=True)
class Times:
    """How a screen shows times, and now by the clock of the database."""

    now: datetime
    in_full: bool

    @classmethod
    def of(cls, now: datetime, *, utc: bool) -> "Times":
        """Return how they are shown here: in full with ``utc``, or if programs read it."""
        return cls(now, utc or not for_people())

    def __call__(self, moment: datetime | None) -> str:
        """Return a moment as text: ``24s ago``, ``in 2h``, ``Sun 02:00``, ``2026-06-01 02:00``; empty for None."""
        if moment is None or self.in_full:
            return when(moment)
        away = moment - self.now
        if abs(away) < _NEAR:
            return ago(-away.total_seconds())
        return self.by_clock(moment)

    def by_clock(self, moment: datetime | None) -> str:
        """Return a moment by the clock, however near it is: ``Sun 02:00``, ``2026-06-01 02:00``; empty for None."""
        if moment is None or self.in_full:
            return when(moment)
        local = moment.astimezone()
        return f"{local:%a %H:%M}" if abs(moment - self.now) < _BY_NAME else f"{local:%Y-%m-%d %H:%M}"
