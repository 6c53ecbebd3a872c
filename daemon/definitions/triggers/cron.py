"""Cron expressions: what they say. When that is, by the clock of a time zone, is in `wall_time`."""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from croniter import CroniterError, croniter

from ...errors import InvalidCron
from .days import Day, DaysOfMonth, DaysOfWeek
from .fields import FIELDS, SECOND, FieldText, read_field
from .lines import belongs_elsewhere

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_PAUSE = 60
"""Years. 29 February falls on a given day of the week at least once in 40."""
LENGTHS = ((31,), (28, 29), (31,), (30,), (31,), (30,), (31,), (31,), (30,), (31,), (30,), (31,))
"""How many days each month may have."""

Times = tuple[int, ...]
"""Seconds of a day, in order."""
Dates = frozenset[tuple[int, Day]]
"""Months with the days of theirs that match, each as it may fall."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The times and dates that an expression allows."""

    times: Times
    days: DaysOfMonth
    months: frozenset[int]
    weekdays: DaysOfWeek
    both_days: bool
    """Day of month and day of week must both match, not either."""
    fixed: bool
    """A fixed time: neither minute nor hour begins with ``*``."""

    def matches_date(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        return self._matches_day(Day(day.day, day.isoweekday() % 7, monthrange(day.year, day.month)[1]))

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
            (month, day)
            for month in self.months
            for length in LENGTHS[month - 1]
            for number in range(1, length + 1)
            for weekday in range(7)
            if self._matches_day(day := Day(number, weekday, length))
        )
        return self.times, dates

    def _matches_day(self, day: Day) -> bool:
        by_month, by_week = self.days.allows(day), self.weekdays.allows(day)
        return (by_month and by_week) if self.both_days else (by_month or by_week)


@lru_cache(maxsize=1 << 16)
def parse(expression: str) -> Pattern:
    """Return what ``expression`` allows; raises `InvalidCron` for all that is not supported.

    It is asked again each time that a schedule is planned, of all schedules in turn: so as many are
    remembered as an application may have.
    """
    fields = zip((SECOND, *FIELDS), _split(expression), strict=True)
    written = {field.name: read_field(expression, field, text) for field, text in fields}
    values = _values(expression, written)
    days, weekdays = written["day of month"], written["day of week"]
    pattern = Pattern(
        times=tuple(
            hour * 3600 + minute * 60 + second
            for hour in values["hour"]
            for minute in values["minute"]
            for second in values["second"]
        ),
        days=DaysOfMonth(
            _one_of_each(frozenset(values[days.of.name])), days.last, days.last_weekday, frozenset(days.nearest)
        ),
        months=_one_of_each(frozenset(values["month"])),
        weekdays=DaysOfWeek(
            _one_of_each(frozenset(day % 7 for day in values[weekdays.of.name])), frozenset(weekdays.numbered)
        ),
        both_days=days.begins_with_star or weekdays.begins_with_star,
        fixed=not written["minute"].begins_with_star and not written["hour"].begins_with_star,
    )
    if pattern.next_date(date(2000, 1, 1)) is None:
        raise InvalidCron(f'"{expression}" never fires: {_why_never(written)}')
    return pattern


@lru_cache(maxsize=1 << 10)
def _one_of_each(values: frozenset[int]) -> frozenset[int]:
    """Return an equal set: most patterns have those of a few others."""
    return values


def _split(expression: str) -> list[str]:
    """Return the six fields, seconds first."""
    if remedy := belongs_elsewhere(expression, tuple(ALIASES)):
        raise InvalidCron(f'"{expression}": {remedy}')
    text = expression.strip().lower()
    fields = ALIASES[text].split() if text in ALIASES else expression.split()
    if len(fields) == len(FIELDS):
        return ["0", *fields]
    if len(fields) == len(FIELDS) + 1:
        return fields
    raise InvalidCron(
        f'"{expression}" has {len(fields)} field{"" if len(fields) == 1 else "s"}, but cron has 5 '
        f"({', '.join(field.name for field in FIELDS)}), or 6 with seconds first"
    )


def _values(expression: str, written: Mapping[str, FieldText]) -> dict[str, list[int]]:
    """Return by field the values of all that is plain in it: numbers, names, ranges, steps and stars."""
    texts = [",".join(field.plain) or "*" for field in written.values()]
    try:
        expanded, _ = croniter.expand(" ".join(texts), second_at_beginning=True)
    except (CroniterError, ValueError) as error:
        raise InvalidCron(f'"{expression}" cannot be read as cron: {error}') from None
    order = [written[field.name] for field in (*FIELDS, SECOND)]  # croniter returns seconds last
    return {field.of.name: _plain(field, found) for field, found in zip(order, expanded, strict=True)}


def _plain(written: FieldText, expanded: list[int | str]) -> list[int]:
    if not written.plain:
        return []
    if "*" in expanded:
        return list(range(written.of.first, written.of.last + 1))
    return sorted(int(value) for value in expanded)


def _why_never(written: Mapping[str, FieldText]) -> str:
    months, days, weekdays = (written[name].text for name in ("month", "day of month", "day of week"))
    if weekdays != "*":
        return f'no day "{days}" of the months "{months}" exists and is a day of the week "{weekdays}"; change one'
    return f'no month of the field "{months}" has a day "{days}"; choose a day that these months have'
