"""Cron expressions: what they say. When that is, by the clock of a time zone, is in `wall_time`."""

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from croniter import CroniterError, croniter

from ...errors import InvalidCron

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "day of week": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_RANGES = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (0, 7),
}
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_PART = re.compile(r"(?:\*|(?P<low>\d+|[a-z]{3})(?:-(?P<high>\d+|[a-z]{3}))?)(?:/(?P<step>\d+))?", re.ASCII)
_SUPPORTED = "numbers, names, *, ranges, steps and lists are supported"
_LONGEST_PAUSE = 60
"""Years. 29 February falls on a given day of the week at least once in 40."""
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Times = tuple[int, ...]
"""Seconds of a day, in order."""
Dates = frozenset[tuple[int, int, int]]
"""Months with their days, and the days of the week on which these may fall."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The times and dates that an expression allows."""

    times: Times
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both_days: bool
    """Day of month and day of week must both match, not either."""
    fixed: bool
    """A fixed time: neither minute nor hour begins with ``*``."""

    def matches_date(self, day: date) -> bool:
        return day.month in self.months and self._matches_day(day.day, day.isoweekday() % 7)

    def matches(self, wall: datetime) -> bool:
        seconds = wall.hour * 3600 + wall.minute * 60 + wall.second
        index = bisect_left(self.times, seconds)
        return self.matches_date(wall.date()) and self.times[index : index + 1] == (seconds,)

    def next_date(self, day: date) -> date | None:
        """Return the first date from ``day`` on that matches; None if there is none."""
        last_year = min(day.year + _LONGEST_PAUSE, date.max.year - 1)
        while day.year <= last_year:
            if day.month not in self.months:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            elif self.matches_date(day):
                return day
            else:
                day += timedelta(days=1)
        return None

    def meaning(self) -> tuple[Times, Dates]:
        """Return what it allows, the same for each way to write it."""
        dates = frozenset(
            (month, day, weekday)
            for month in self.months
            for day in range(1, _LENGTHS[month - 1] + 1)
            for weekday in range(7)
            if self._matches_day(day, weekday)
        )
        return self.times, dates

    def _matches_day(self, day: int, weekday: int) -> bool:
        by_month, by_week = day in self.days, weekday in self.weekdays
        return (by_month and by_week) if self.both_days else (by_month or by_week)


@lru_cache(maxsize=1_024)
def parse(expression: str) -> Pattern:
    """Return what ``expression`` allows; raises `InvalidCron` for all that is not supported."""
    fields = _split(expression)
    named = dict(zip(("second", *_FIELDS), fields, strict=True))
    cleaned = [_clean(expression, field, text) for field, text in named.items()]
    try:
        expanded, _ = croniter.expand(" ".join(cleaned), second_at_beginning=True)
    except (CroniterError, ValueError) as error:
        raise InvalidCron(f'"{expression}" cannot be read as cron: {error}') from None
    order = (*_FIELDS, "second")
    values = {field: _values(field, allowed) for field, allowed in zip(order, expanded, strict=True)}
    pattern = Pattern(
        times=tuple(
            hour * 3600 + minute * 60 + second
            for hour in values["hour"]
            for minute in values["minute"]
            for second in values["second"]
        ),
        days=frozenset(values["day of month"]),
        months=frozenset(values["month"]),
        weekdays=frozenset(value % 7 for value in values["day of week"]),
        both_days=named["day of month"].startswith("*") or named["day of week"].startswith("*"),
        fixed=not named["minute"].startswith("*") and not named["hour"].startswith("*"),
    )
    if pattern.next_date(date(2000, 1, 1)) is None:
        raise InvalidCron(
            f'"{expression}" never fires: no month of the field "{named["month"]}" has a day "{named["day of month"]}"; '
            "choose a day that these months have"
        )
    return pattern


def _split(expression: str) -> list[str]:
    """Return the six fields, seconds first."""
    text = expression.strip().lower()
    if text.startswith("@"):
        if text not in ALIASES:
            why = " is an event, not a time" if text == "@reboot" else " is not known"
            raise InvalidCron(f'"{expression}"{why}; use one of {", ".join(ALIASES)}')
        text = ALIASES[text]
    fields = text.split()
    if len(fields) == len(_FIELDS):
        return ["0", *fields]
    if len(fields) == len(_FIELDS) + 1:
        return fields
    raise InvalidCron(
        f'"{expression}" has {len(fields)} field{"" if len(fields) == 1 else "s"}, but cron has 5 '
        f"({', '.join(_FIELDS)}), or 6 with seconds first"
    )


def _clean(expression: str, field: str, text: str) -> str:
    """Refuse what is not supported in a field, and spell out what croniter reads in its own way."""
    return ",".join(_clean_part(expression, field, part) for part in text.split(","))


def _clean_part(expression: str, field: str, part: str) -> str:
    match = _PART.fullmatch(part)
    if match is None:
        raise InvalidCron(f'"{expression}": "{part}" is not supported in the field {field}; {_SUPPORTED}')
    low, high, step = match.group("low", "high", "step")
    first, last = _RANGES[field]
    if step is not None and not 0 < int(step) <= last - first:
        raise InvalidCron(
            f'"{expression}": the step {step} does not fit into the field {field} ({first} to {last}); '
            "a longer interval is written with `every`"
        )
    bounds = [_number(expression, field, value) for value in (low, high) if value is not None]
    if len(bounds) < 2:
        return part
    start, end = bounds
    if start == end or (field == "day of week" and start != 0 and (start - end) % 7 == 0):
        return str(start)  # croniter would take the whole field
    if step is not None and start > end:
        raise InvalidCron(f'"{expression}": "{part}" ends before it starts, and has a step; write the values as a list')
    return part


def _number(expression: str, field: str, value: str) -> int:
    first, last = _RANGES[field]
    names = _NAMES.get(field, ())
    if value in names:
        return names.index(value) + first
    if not value.isdigit():
        raise InvalidCron(f'"{expression}": "{value}" is no value of the field {field}; it goes from {first} to {last}')
    if not first <= int(value) <= last:
        raise InvalidCron(
            f'"{expression}": {value} is out of range in the field {field}; it goes from {first} to {last}'
        )
    return int(value)


def _values(field: str, allowed: list[int | str]) -> list[int]:
    first, last = _RANGES[field]
    if "*" in allowed:
        return list(range(first, last + 1))
    return sorted(int(value) for value in allowed)
