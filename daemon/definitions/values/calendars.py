"""Days on which a schedule does not run, and the calendars of FILE that name some."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from ...errors import Mistakes, Place
from ...text import suggestion
from ..triggers.calendar import RANGE, Calendar, bounds
from .names import check_name
from .refusal import Refusal, refused_at, shown

LONGEST_RANGE = timedelta(days=3_653)
MOST_DAYS = 2_000
"""Dates and ranges of one calendar: they are stored with each schedule that goes by it."""
_EXAMPLES = 'write "2026-12-25", "2026-12-24..2027-01-01", or "12-25" for each year'
_LEAP_YEAR = 2000
_YEARLY = re.compile(r"\d\d-\d\d", re.ASCII)
_YEARLY_RANGE = re.compile(rf"{_YEARLY.pattern}{re.escape(RANGE)}{_YEARLY.pattern}", re.ASCII)
_DATES = re.compile(rf"\d{{4}}-\d\d-\d\d(?:{re.escape(RANGE)}\d{{4}}-\d\d-\d\d)?", re.ASCII)


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
    BeforeValidator(read_exclude, json_schema_input_type=str | Sequence[str]),
    PlainSerializer(write_exclude),
    Field(title="days, ranges of them, or names of calendars"),
]
