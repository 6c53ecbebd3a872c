"""Calendars: the days on which a schedule does not run, by the clock of its time zone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

RANGE = ".."
"""Between the first and the last day of a range."""
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days, each as it is written: ``2026-12-25``, ``2026-12-24..2027-01-01``, or ``12-25`` of every year."""

    days: tuple[str, ...]
    name: str | None = None
    """None: they are written into the schedule itself."""

    def covering(self, day: date) -> str | None:
        """Return what of it has ``day``: its name, or, where it has none, how that day is written."""
        written = _read(self.days).written(day)
        return written if written is None or self.name is None else self.name


@dataclass(frozen=True, slots=True)
class Part:
    """A part of time, after ``after`` and up to ``until``, whose days are all excluded or all not."""

    excluded: bool
    after: datetime
    until: datetime


def covering(calendars: Sequence[Calendar], instant: datetime, zone: ZoneInfo) -> str | None:
    """Return what of the first calendar that has the local day of ``instant`` has it; None: it is in none."""
    return _covering(calendars, instant.astimezone(zone).date()) if calendars else None


def parts(calendars: Sequence[Calendar], after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Part]:
    """Cut the time after ``after``, up to ``until``, at the midnights at which what is excluded changes."""
    first, last = (moment.astimezone(zone).date() for moment in (after, until))
    days = (first + number * _DAY for number in range((last - first).days + 1)) if calendars else (first,)
    for excluded, group in groupby(days, key=lambda day: _covering(calendars, day) is not None):
        *_, end = group
        edge = until if end >= last or not calendars else min(until, _midnight(end + _DAY, zone) - _TICK)
        if edge > after:
            yield Part(excluded, after, edge)
            after = edge


def bounds(written: str) -> tuple[date, date]:
    """Return the first and the last day of a date or a range; raises `ValueError`."""
    first, found, last = written.partition(RANGE)
    return date.fromisoformat(first), date.fromisoformat(last if found else first)


@dataclass(frozen=True, slots=True)
class _Days:
    single: dict[date | tuple[int, int], str]
    """How a date is written, and how a day of every year, by its month and number."""
    ranges: tuple[tuple[date, date, str], ...]

    def written(self, day: date) -> str | None:
        found = self.single.get(day) or self.single.get((day.month, day.day))
        return found or next((text for first, last, text in self.ranges if first <= day <= last), None)


@lru_cache(maxsize=1 << 12)
def _read(days: tuple[str, ...]) -> _Days:
    single: dict[date | tuple[int, int], str] = {}
    ranges = []
    for text in days:
        if RANGE in text:
            ranges.append((*bounds(text), text))
        elif len(text) == len("12-25"):
            single[int(text[:2]), int(text[3:])] = text
        else:
            single[date.fromisoformat(text)] = text
    return _Days(single, tuple(ranges))


def _covering(calendars: Sequence[Calendar], day: date) -> str | None:
    return next((found for calendar in calendars if (found := calendar.covering(day)) is not None), None)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins; where the clock skips its midnight, that is when it has done so."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
