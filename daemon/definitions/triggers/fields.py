"""The fields of a cron expression: what may be written in each of them."""

import re
from dataclasses import dataclass, field

from ...errors import InvalidCron
from .days import LAST

_PART = re.compile(r"(?:\*|(?P<low>\d+|[a-z]{3})(?:-(?P<high>\d+|[a-z]{3}))?)(?:/(?P<step>\d+))?", re.ASCII)
_DAY_OF_MONTH = re.compile(r"l|lw|(?P<nearest>\d+)w", re.ASCII)
_DAY_OF_WEEK = re.compile(r"(?P<day>\d+|[a-z]{3})(?:l|#(?P<number>\d+))", re.ASCII)
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
    also: str = ""
    """What it takes besides, for the sentence of a refusal."""


MONTH = Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
DAY_OF_MONTH = Field(
    "day of month", 1, 31, also="; also L (the last day), LW (the last weekday), 15W (the weekday nearest to the 15th)"
)
DAY_OF_WEEK = Field(
    "day of week",
    0,
    7,
    ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
    also="; also 5L (the last Friday of a month), 5#3 (the third one)",
)
FIELDS = (Field("minute", 0, 59), Field("hour", 0, 23), DAY_OF_MONTH, MONTH, DAY_OF_WEEK)
SECOND = Field("second", 0, 59)


@dataclass
class FieldText:
    """What is written in a field, its parts sorted by their kind."""

    of: Field
    text: str
    plain: list[str] = field(default_factory=list)
    """Parts as croniter reads them."""
    last: bool = False
    last_weekday: bool = False
    nearest: list[int] = field(default_factory=list)
    numbered: list[tuple[int, int]] = field(default_factory=list)

    @property
    def begins_with_star(self) -> bool:
        return self.text.startswith("*")


def read_field(expression: str, of: Field, text: str) -> FieldText:
    """Return what a field says; raises `InvalidCron` for all that is not supported."""
    written = FieldText(of, text)
    for part in text.split(","):
        if not (of is DAY_OF_MONTH and _day_of_month(expression, written, part)) and not (
            of is DAY_OF_WEEK and _day_of_week(expression, written, part)
        ):
            written.plain.append(_plain(expression, of, part))
    return written


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
    start, end = _range(of, *(_number("", of, match[bound]) for bound in ("low", "high")))
    return f"{start}-{of.last},{of.first}-{end}" if start > end else part


def _plain(expression: str, of: Field, part: str) -> str:
    """Return a number, a range, a step or a star as croniter reads it as we mean it."""
    match = _PART.fullmatch(part.lower())
    if match is None:
        known = _written_out(of, part) or f"{_SUPPORTED}{of.also}"
        raise InvalidCron(f'"{expression}": "{part}" is not supported in the field {of.name}; {known}')
    low, high, step = match.group("low", "high", "step")
    if step is not None and not 0 < int(step) <= of.last - of.first:
        remedy = "write 1 or more" if int(step) == 0 else "for a longer interval use `every`"
        raise InvalidCron(
            f'"{expression}": the step {step} does not fit into the field {of.name} ({of.first} to {of.last}); {remedy}'
        )
    bounds = [_number(expression, of, value) for value in (low, high) if value is not None]
    if len(bounds) < 2:
        return part.lower()
    start, end = _range(of, *bounds)
    if start == end:
        return str(start)  # croniter would take the whole field
    if start > end:
        values = [*range(start, of.last + 1), *range(of.first, end + 1)][:: int(step or 1)]
        over = ",".join(map(str, values)) if step else f"{start}-{of.last},{of.first}-{end}"
        raise InvalidCron(
            f'"{expression}": "{part}" in the field {of.name} ends before it starts; '
            f'to continue from {of.last} to {of.first}, write "{over}"'
        )
    return f"{start}-{end}{f'/{step}' if step else ''}"


def _written_out(of: Field, part: str) -> str | None:
    """Return what to write for a part with names that are not cut to three letters."""
    short = _WORD.sub(lambda word: word[0][:3], part.lower())
    if short == part.lower() or not any(word in of.names for word in _WORD.findall(short)):
        return None
    return f'names have three letters: write "{short}"' if _PART.fullmatch(short) else None


def _range(of: Field, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of a range with the number of Sunday, 0 or 7, that fits to its place."""
    if of is not DAY_OF_WEEK:
        return start, end
    if end == 0 and start > 0:
        return start, _SUNDAY
    return (0, end) if start == _SUNDAY and end < _SUNDAY else (start, end)


def _day_of_month(expression: str, written: FieldText, part: str) -> bool:
    """Take ``L``, ``LW`` or ``15W``; return whether it is one of them."""
    match = _DAY_OF_MONTH.fullmatch(part.lower())
    if match is None:
        return False
    if match["nearest"] is not None:
        written.nearest.append(_number(expression, written.of, match["nearest"]))
    elif part.lower() == "l":
        written.last = True
    else:
        written.last_weekday = True
    return True


def _day_of_week(expression: str, written: FieldText, part: str) -> bool:
    """Take ``5L`` or ``5#3``; return whether it is one of them."""
    match = _DAY_OF_WEEK.fullmatch(part.lower())
    if match is None:
        return False
    weekday, number = _number(expression, written.of, match["day"]) % 7, match["number"]
    if number is not None and not _WEEKS[0] <= int(number) <= _WEEKS[1]:
        raise InvalidCron(
            f'"{expression}": "{part}" is not a day of a month; use the numbers from {_WEEKS[0]} to {_WEEKS[1]}'
        )
    written.numbered.append((weekday, LAST if number is None else int(number)))
    return True


def _number(expression: str, of: Field, value: str) -> int:
    if value in of.names:
        return of.names.index(value) + of.first
    if not value.isdigit():
        raise InvalidCron(
            f'"{expression}": "{value}" is not a value of the field {of.name}, which goes from {of.first} to {of.last}'
        )
    if not of.first <= int(value) <= of.last:
        raise InvalidCron(
            f'"{expression}": {value} is out of range in the field {of.name}; it goes from {of.first} to {of.last}'
        )
    return int(value)
