"""Cron expressions: what they say. When that is, by the clock of a time zone, is in `wall_time`."""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache

from croniter import CroniterError, croniter

from ...errors import InvalidCron

SATURDAY, SUNDAY = 6, 0
LAST = 0
"""In place of the number of a weekday within its month."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of some month: by it a field of days decides."""

    number: int
    weekday: int
    """0 is Sunday."""
    length: int
    """How many days its month has."""


@dataclass(frozen=True, slots=True)
class DaysOfMonth:
    """What a field ``day of month`` allows."""

    days: frozenset[int]
    last: bool = False
    """``L``: the last day."""
    last_weekday: bool = False
    """``LW``: the last day from Monday to Friday."""
    nearest: frozenset[int] = frozenset()
    """``15W``: the day from Monday to Friday that is nearest to the 15th within its month."""

    def allows(self, day: Day) -> bool:
        return (
            day.number in self.days
            or (self.last and day.number == day.length)
            or (self.last_weekday and _is_nearest(day, day.length))
            or any(_is_nearest(day, number) for number in self.nearest)
        )


@dataclass(frozen=True, slots=True)
class DaysOfWeek:
    """What a field ``day of week`` allows."""

    weekdays: frozenset[int]
    numbered: frozenset[tuple[int, int]] = frozenset()
    """``5#3``: the third Friday of a month; ``5L``, with `LAST`: its last."""

    def allows(self, day: Day) -> bool:
        if day.weekday in self.weekdays:
            return True
        if (day.weekday, (day.number + 6) // 7) in self.numbered:
            return True
        return day.number + 7 > day.length and (day.weekday, LAST) in self.numbered


def _is_nearest(day: Day, wanted: int) -> bool:
    """Return whether the day is from Monday to Friday, and of these the nearest to a day that its month has."""
    if wanted > day.length or day.weekday in {SATURDAY, SUNDAY}:
        return False
    weekday = (day.weekday + wanted - day.number) % 7
    if weekday == SATURDAY:
        return day.number == (wanted - 1 if wanted > 1 else wanted + 2)
    if weekday == SUNDAY:
        return day.number == (wanted + 1 if wanted < day.length else wanted - 2)
    return day.number == wanted


_PART = re.compile(r"(?:\*|(?P<low>\d+|[a-z]{3})(?:-(?P<high>\d+|[a-z]{3}))?)(?:/(?P<step>\d+))?", re.ASCII)
_WORD = re.compile("[a-z]+")
_WEEKS = (1, 5)
_SUNDAY = 7
_SUPPORTED = "numbers, names, *, ranges, steps and lists are supported"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an expression, and the values that it takes."""

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()
    odd: str = "(?!)"
    """A pattern of what it takes besides."""
    also: str = ""
    """The same, for the sentence of a refusal."""


MONTH = Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
_IN_A_MONTH = "; also L (the last day), LW (the last weekday), 15W (the weekday nearest to the 15th)"
DAY_OF_MONTH = Field("day of month", 1, 31, odd=r"l|lw|(?P<nearest>\d+)w", also=_IN_A_MONTH)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_IN_A_WEEK = "; also 5L (the last Friday of a month), 5#3 (the third one)"
DAY_OF_WEEK = Field("day of week", 0, 7, _WEEKDAYS, odd=r"(?P<day>\d+|[a-z]{3})(?:l|#(?P<number>\d+))", also=_IN_A_WEEK)
FIELDS = (Field("minute", 0, 59), Field("hour", 0, 23), DAY_OF_MONTH, MONTH, DAY_OF_WEEK)
SECOND = Field("second", 0, 59)


class _InField(ValueError):
    """Raised for what is not supported in a field, before it is said in which expression."""


@dataclass
class FieldText:
    """What is written in a field, its parts sorted by their kind."""

    of: Field
    text: str
    plain: list[str] = field(default_factory=list)
    """Parts as croniter reads them."""
    odd: list[re.Match[str]] = field(default_factory=list)
    """Parts that only the fields of days have, such as ``LW`` and ``5#3``."""

    def __post_init__(self) -> None:
        for part in self.text.split(","):
            if (odd := re.fullmatch(self.of.odd, part, re.ASCII | re.IGNORECASE)) is not None:
                self.odd.append(odd)
            else:
                self.plain.append(_plain(self.of, part))


def forwards(expression: str) -> str:
    """Return ``expression`` with each range over the end of its field as two, as in ``22-23,0-1`` for
    ``22-1``: the first release took such ranges.
    """
    texts = expression.split()
    fields = (SECOND, *FIELDS)[-len(texts) :]
    if len(texts) != len(fields) or len(fields) < len(FIELDS):
        return expression
    return " ".join(
        ",".join(_forwards(of, part) for part in text.split(",")) for of, text in zip(fields, texts, strict=True)
    )


def _forwards(of: Field, part: str) -> str:
    match = _PART.fullmatch(part.lower())
    if match is None or match["high"] is None or match["step"] is not None:
        return part
    start, end = _range(of, _number(of, match["low"]), _number(of, match["high"]))
    return f"{start}-{of.last},{of.first}-{end}" if start > end else part


def _plain(of: Field, part: str) -> str:
    """Return a number, a range, a step or a star as croniter reads it as we mean it."""
    match = _PART.fullmatch(part.lower())
    if match is None:
        remedy, short = f"{_SUPPORTED}{of.also}", _WORD.sub(lambda word: word[0][:3], part.lower())
        if short != part.lower() and _PART.fullmatch(short) and any(word in of.names for word in _WORD.findall(short)):
            remedy = f'names have three letters: write "{short}"'
        raise _InField(f'"{part}" is not supported in the field {of.name}; {remedy}')
    low, high, step = match.group("low", "high", "step")
    if step is not None and not 0 < int(step) <= of.last - of.first:
        remedy = "write 1 or more" if int(step) == 0 else "for a longer interval use `every`"
        raise _InField(f"the step {step} does not fit into the field {of.name} ({of.first} to {of.last}); {remedy}")
    bounds = [_number(of, value) for value in (low, high) if value is not None]
    if len(bounds) < 2:
        return part.lower()
    start, end = _range(of, *bounds)
    if start == end:
        return str(start)  # croniter would take the whole field
    if start > end:
        values = [*range(start, of.last + 1), *range(of.first, end + 1)][:: int(step or 1)]
        over = ",".join(map(str, values)) if step else f"{start}-{of.last},{of.first}-{end}"
        remedy = f'to continue from {of.last} to {of.first}, write "{over}"'
        raise _InField(f'"{part}" in the field {of.name} ends before it starts; {remedy}')
    return f"{start}-{end}{f'/{step}' if step else ''}"


def _range(of: Field, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of a range with the number of Sunday, 0 or 7, that fits to its place."""
    if of is not DAY_OF_WEEK:
        return start, end
    if end == 0 and start > 0:
        return start, _SUNDAY
    return (0, end) if start == _SUNDAY and end < _SUNDAY else (start, end)


def _days_of_month(written: FieldText, plain: list[int]) -> DaysOfMonth:
    odd = {match[0].lower() for match in written.odd}
    nearest = [_number(written.of, match["nearest"]) for match in written.odd if match["nearest"]]
    return DaysOfMonth(_one_of_each(frozenset(plain)), "l" in odd, "lw" in odd, frozenset(nearest))


def _days_of_week(written: FieldText, plain: list[int]) -> DaysOfWeek:
    numbered = set()
    for match in written.odd:
        weekday, number = _number(written.of, match["day"].lower()) % 7, int(match["number"] or LAST)
        if match["number"] is not None and not _WEEKS[0] <= number <= _WEEKS[1]:
            raise _InField(f'"{match[0]}" is not a day of a month; use the numbers from {_WEEKS[0]} to {_WEEKS[1]}')
        numbered.add((weekday, number))
    return DaysOfWeek(_one_of_each(frozenset(day % 7 for day in plain)), frozenset(numbered))


def _number(of: Field, value: str) -> int:
    if value in of.names:
        return of.names.index(value) + of.first
    if not value.isdigit():
        raise _InField(f'"{value}" is not a value of the field {of.name}, which goes from {of.first} to {of.last}')
    if not of.first <= int(value) <= of.last:
        raise _InField(f"{value} is out of range in the field {of.name}; it goes from {of.first} to {of.last}")
    return int(value)


_EVERY = re.compile(r"@every\s+(\S+)", re.IGNORECASE)
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)")
_VARIABLE = re.compile(r"(\w+)\s*=.*", re.DOTALL)
_COMMAND = re.compile(r"[./~$\[({\"'].*|[A-Za-z_]{3}.*", re.DOTALL)


def belongs_elsewhere(expression: str) -> str | None:
    """Return what is wrong, and what to write, if ``expression`` is not just the times of a crontab."""
    text = expression.strip()
    if text.startswith("@"):
        return _alias(text)
    if zone := _ZONE.match(text):
        rest = text[zone.end() :].strip()
        cron = f"cron = {_quoted(rest)} and " if rest else ""
        return f"the time zone is a setting of its own; write {cron}timezone = {_quoted(zone[1])}"
    if variable := _VARIABLE.fullmatch(text):
        return f"this sets a variable of a crontab; jobs get {variable[1]} with env = {{ {variable[1]} = … }}"
    words = text.split()
    times, command = words[: len(FIELDS)], words[len(FIELDS) :]
    if command and _is_command(command[0]) and not any(map(_is_command, times)):
        return (
            f"after five fields, {_quoted(command[0])} is not part of a time; a command belongs in a job: command = …"
        )
    return None


def _alias(text: str) -> str | None:
    name, *rest = text.split()
    if name.lower() == "@reboot":
        return "it is an event, not a time; to run something at boot, use the service manager"
    if every := _EVERY.fullmatch(text):
        return f"an interval is not cron; write every = {_quoted(every[1])}"
    if name.lower() not in ALIASES:
        return f"it is unknown; use one of {', '.join(ALIASES)}"
    if rest:
        return f"after {name}, {_quoted(rest[0])} is not part of a time; a command belongs in a job: command = …"
    return None


def _is_command(word: str) -> bool:
    return _COMMAND.fullmatch(word) is not None and word[:3].lower() not in {*MONTH.names, *DAY_OF_WEEK.names}


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '\\"'))


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
    try:
        written = {field.name: FieldText(field, text) for field, text in fields}
        values = _values(expression, written)
        days = _days_of_month(written["day of month"], values["day of month"])
        weekdays = _days_of_week(written["day of week"], values["day of week"])
    except _InField as problem:
        raise InvalidCron(f'"{expression}": {problem}') from None
    stars = {name for name, field in written.items() if field.text.startswith("*")}
    hours, minutes, seconds = values["hour"], values["minute"], values["second"]
    pattern = Pattern(
        times=tuple(h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds),
        days=days,
        months=_one_of_each(frozenset(values["month"])),
        weekdays=weekdays,
        both_days="day of month" in stars or "day of week" in stars,
        fixed="minute" not in stars and "hour" not in stars,
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
    if remedy := belongs_elsewhere(expression):
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
    values: dict[str, list[int]] = {}
    for text, found in zip(order, expanded, strict=True):
        every = range(text.of.first, text.of.last + 1)
        plain = every if "*" in found else sorted(int(value) for value in found)
        values[text.of.name] = [*plain] if text.plain else []
    return values


def _why_never(written: Mapping[str, FieldText]) -> str:
    months, days, weekdays = (written[name].text for name in ("month", "day of month", "day of week"))
    if weekdays != "*":
        return f'no day "{days}" of the months "{months}" exists and is a day of the week "{weekdays}"; change one'
    return f'no month of the field "{months}" has a day "{days}"; choose a day that these months have'
