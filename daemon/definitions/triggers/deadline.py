"""Deadlines: by when success of what is due is expected."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from . import cron, wall_time

_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def is_time_of_day(text: str) -> bool:
    """Return whether ``text`` is a time of day, ``06:00`` or ``23:59:59``."""
    return _TIME_OF_DAY.fullmatch(text) is not None


def deadline(finish_by: float | str, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """Return by when, in UTC, what is due at ``instant`` should have succeeded: seconds after it, or at the
    first such time of day after it; one that the clock skips is right after the gap, of one that it
    repeats the first counts. None: beyond the end of the calendar.
    """
    if not isinstance(finish_by, str):
        try:
            return instant + timedelta(seconds=finish_by)
        except OverflowError:
            return None
    match = _TIME_OF_DAY.fullmatch(finish_by)
    assert match is not None  # noqa: S101 - it was checked as it was read
    hour, minute, second = (int(part or 0) for part in match.groups())
    return next(wall_time.matches_of(cron.parse(f"{second} {minute} {hour} * * *"), instant, zone), None)


def stored_deadline(finish_by: Any, instant: datetime, timezone: Any) -> datetime | None:
    """Return the deadline for a stored schedule; None also if this version cannot read it."""
    if isinstance(finish_by, str) and not is_time_of_day(finish_by):
        return None
    try:
        return deadline(finish_by, instant, ZoneInfo(timezone))
    except (TypeError, ValueError, KeyError):  # a zone that this machine does not have is a KeyError
        return None
