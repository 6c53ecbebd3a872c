"""Days on which a schedule does not run, by the clock of its time zone, and the calendars of FILE that name some."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import PlainSerializer

from ...errors import Mistakes, Place
from ...text import suggestion
from .refusal import Refusal, read_by, refused_at, shown
from .strings import check_name

RANGE = ".."
"""Between the first and the last day of a range."""
LONGEST_RANGE = timedelta(days=3_653)
MOST_DAYS = 2_000
"""Dates and ranges of one calendar: they are stored with each schedule that goes by it."""
_EXAMPLES = 'write "2026-12-25", "2026-12-24..2027-01-01", or "12-25" for each year'
_LEAP_YEAR = 2000
_YEARLY = re.compile(r"\d\d-\d\d", re.ASCII)
_YEARLY_RANGE = re.compile(rf"{_YEARLY.pattern}{re.escape(RANGE)}{_YEARLY.pattern}", re.ASCII)
_DATES = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{re.escape(RANGE)}\d{{4}}-\d\d-\d\d)?", re.ASCII)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days, each as it is written: ``2026-12-25``, ``2026-12-24..2027-01-01``, or ``12-25`` of every year."""

    days: tuple[str, ...]
    name: str | None = None
    """None: they are written into the schedule itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of time, after ``after`` and up to ``until``, whose days are all excluded or all not."""

    excluded: bool
    after: datetime
    until: datetime


def covering(calendars: Sequence[Calendar], day: date) -> str | None:
    """Return the name of the first calendar that has a day, or, if it has none, how the day is written in it."""
    for calendar in calendars:
        single, ranges = _read(calendar.days)
        written = single.get(day) or single.get((day.month, day.day))
        written = written or next((text for first, last, text in ranges if first <= day <= last), None)
        if written is not None:
            return calendar.name or written
    return None


def parts(calendars: Sequence[Calendar], after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Part]:
    """Cut the time after ``after``, up to ``until``, at the midnights at which what is excluded changes."""
    first, last = (moment.astimezone(zone).date() for moment in (after, until))
    days = (first + number * _DAY for number in range((last - first).days + 1)) if calendars else (first,)
    for excluded, group in groupby(days, key=lambda day: covering(calendars, day) is not None):
        *_, end = group
        edge = until if end >= last or not calendars else min(until, _midnight(end + _DAY, zone) - _TICK)
        if edge > after:
            yield Part(excluded, after, edge)
            after = edge


def bounds(written: str) -> tuple[date, date]:
    """Return the first and the last day of a date or a range; raises `ValueError`."""
    first, found, last = written.partition(RANGE)
    return date.fromisoformat(first), date.fromisoformat(last if found else first)


@lru_cache(maxsize=1 << 12)
def _read(days: tuple[str, ...]) -> tuple[dict[date | tuple[int, int], str], list[tuple[date, date, str]]]:
    """Return how a date is written, and how a day of every year, by its month and number; and the ranges."""
    single: dict[date | tuple[int, int], str] = {}
    ranges = []
    for text in days:
        if RANGE in text:
            ranges.append((*bounds(text), text))
        elif len(text) == len("12-25"):
            single[int(text[:2]), int(text[3:])] = text
        else:
            single[date.fromisoformat(text)] = text
    return single, ranges


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins; where the clock skips its midnight, that is when it has done so."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Calendars:
    """The calendars of FILE, by their names."""

    days: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    how: str = "write [calendars.NAME] with dates = [...]"
    """How FILE defines one."""
    known: bool = True
    """False if they cannot be read: then nothing can be said of what names one."""

    def resolved(self, settings: Mapping[str, Any], place: Place) -> dict[str, Any]:
        """Return settings whose `exclude` has the days of each calendar that it names; raises `DefinitionError`."""
        given = settings.get("exclude")
        if given is None or not self.known:
            return {name: value for name, value in settings.items() if name != "exclude" or self.known}
        items = [given] if isinstance(given, str) else given
        if not isinstance(items, (list, tuple)):
            return dict(settings)  # it is refused, or needs nothing
        with refused_at(replace(place, field="exclude")):
            return {**settings, "exclude": [self._of(item) if _is_name(item) else item for item in items]}

    def _of(self, name: str) -> Mapping[str, Sequence[str]]:
        if name not in self.days:
            remedy = suggestion(name, self.days) if self.days else f"{self.how}, or {_EXAMPLES}"
            raise Refusal(f"{shown(name)} is neither a day nor a calendar", remedy)
        return {name: self.days[name]}


def read_calendars(given: Mapping[str, object], place: Place, how: str) -> Calendars:
    """Return calendars whose days were given by their names; raises `DefinitionError`."""
    found: dict[str, tuple[str, ...]] = {}
    mistakes = Mistakes()
    for name, days in given.items():
        with mistakes, refused_at(replace(place, field="calendars")):
            if not _is_name(check_name("calendar", name)):
                raise Refusal(f"the name of a calendar {shown(name)} begins with a digit, as days do", "rename it")
        with mistakes, refused_at(replace(place, field=f"calendars.{name}")):
            found[name] = _read_days(days)
    mistakes.refuse()
    return Calendars(found, how)


def read_exclude(value: object) -> tuple[Calendar, ...]:
    """Return the days that were written, and after them the calendars by name; raises `Refusal`."""
    own: list[object] = []
    named: dict[str, tuple[str, ...]] = {}
    for item in _items(value):
        match item:
            case Calendar(days, None):
                own += days
            case Calendar(days, str(name)):
                named[name] = days
            case Mapping():
                named.update({check_name("calendar", name): _read_days(days) for name, days in item.items()})
            case _:
                own.append(item)
    ours = (Calendar(_read_days(own)),) if own else ()
    return (*ours, *(Calendar(named[name], name) for name in sorted(named)))


def write_exclude(calendars: Iterable[Calendar]) -> list[Any]:
    """Return what `read_exclude` reads, fit for JSON."""
    return [
        item
        for calendar in calendars
        for item in (calendar.days if calendar.name is None else [{calendar.name: list(calendar.days)}])
    ]


def _read_days(value: object) -> tuple[str, ...]:
    """Return days in one spelling and order; raises `Refusal`."""
    days = tuple(sorted({_read_day(item) for item in _items(value)}))
    if len(days) > MOST_DAYS:
        raise Refusal(f"it has {len(days):,} days", f"at most {MOST_DAYS:,} are allowed; remove those that are past")
    return days


def _items(value: object) -> Iterable[object]:
    if isinstance(value, (str, date)):
        return [value]
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return value
    raise Refusal(f"{shown(value)} is not a list of days", f"{_EXAMPLES}, in a list")


def _read_day(item: object) -> str:
    if isinstance(item, date) and not isinstance(item, datetime):
        return item.isoformat()
    text = item.replace(" ", "") if isinstance(item, str) else ""
    if _YEARLY_RANGE.fullmatch(text):
        raise Refusal(f"the range {shown(item)} has no years", "write the years, or each of its days of every year")
    try:
        if _YEARLY.fullmatch(text):
            date(_LEAP_YEAR, int(text[:2]), int(text[3:]))
            return text
        first, last = bounds(text if _DATES.fullmatch(text) else "")
    except ValueError:
        raise Refusal(f"{shown(item)} is not a day", _EXAMPLES) from None
    if last < first:
        raise Refusal(f"the range {shown(item)} ends before it starts", f'write "{last}{RANGE}{first}"')
    if last - first > LONGEST_RANGE:
        remedy = "at most 10 years are allowed; to stop a schedule for good, set `ends` or `enabled`"
        raise Refusal(f"the range {shown(item)} is too long", remedy)
    return text


def _is_name(item: object) -> bool:
    """Return whether an item names a calendar: days begin with a digit."""
    return isinstance(item, str) and bool(text := item.strip()) and not text[0].isdigit()


Exclude = Annotated[
    tuple[Calendar, ...],
    read_by(read_exclude, str | Sequence[str], "days, ranges of them, or names of calendars"),
    PlainSerializer(write_exclude),
]
