"""When a line of a crontab is due, as our own expression."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import InvalidCron
from ..triggers.cron import parse

_OTHER_NAMES = {
    "@every_minute": "* * * * *",
    "@minutely": "* * * * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@semi-annually": "0 0 1 1,7 *",
    "@semiannually": "0 0 1 1,7 *",
    "@biannually": "0 0 1 1,7 *",
}
"""Names that some crons have besides those of Debian's, each with what it means."""
_RANDOM = re.compile(r"(\d*)~(\d*)", re.ASCII)
_STEP_OF_A_NUMBER = re.compile(r"(?:^|,)\w+/\d", re.ASCII)
_OVER_THE_WEEKEND = re.compile(r"(?:mon|tue|wed|thu|fri|sat|[1-6])-(?:sun|0)|7-[0-6]", re.ASCII)
_OURS_ALONE = re.compile(r"(?:^|,)(?:l|lw|\d+w|\w+l)(?:,|$)", re.ASCII)
_DRAWN = ((0, 59, 1, "minute"), (0, 23, 60, "hour"))
"""Of the fields that may be drawn: the first value, the last, how many minutes each is, and the name."""


@dataclass(frozen=True, slots=True)
class CronTiming:
    """An expression, how many minutes later at most a run may start, and what differs from cron."""

    expression: str
    jitter: int = 0
    remarks: tuple[str, ...] = ()


def read_timing(written: str) -> CronTiming:
    """Return what the five fields, or the name, of a line mean; raises `InvalidCron`."""
    if written.startswith("@"):
        expression = _OTHER_NAMES.get(written.lower(), written.lower())
        parse(expression)
        return CronTiming(expression)
    fields = written.split()
    remarks: list[str] = []
    jitter = sum(_without_draw(fields, at, written, remarks) for at in range(len(fields)))
    for at in (2, 4):
        if fields[at] == "?":
            fields[at] = "*"
            remarks.append('a "?" is written as "*" here')
    expression = " ".join(fields)
    parse(expression)
    return CronTiming(expression, jitter, (*remarks, *_differences(fields)))


def _without_draw(fields: list[str], at: int, written: str, remarks: list[str]) -> int:
    """Put the first value of a range of which cron draws one, ``A~B``; return how many minutes more it may be."""
    if "~" not in fields[at]:
        return 0
    drawn = _RANDOM.fullmatch(fields[at])
    if at >= len(_DRAWN) or drawn is None:
        raise InvalidCron(f'"{written}": cron picks a random value of "{fields[at]}"; write a fixed one')
    first, last, minutes, name = _DRAWN[at]
    low, high = int(drawn[1] or first), int(drawn[2] or last)
    if not first <= low <= high <= last:
        raise InvalidCron(
            f'"{written}": "{fields[at]}" is not a range of the field {name}, which goes from {first} to {last}'
        )
    fields[at] = str(low)
    remarks.append(
        f'cron picks one {name} of "{drawn[0]}" when it starts; here each run starts after a random delay (jitter)'
    )
    return (high - low) * minutes


def _differences(fields: list[str]) -> Iterator[str]:
    """Yield where we read an expression otherwise than Debian's cron, or another cron than both."""
    *_, day, _, weekday = (field.lower() for field in fields)
    if "#" in weekday:
        yield f'Debian\'s cron ignores what follows the number in "{weekday}", so it ran every week; here it does not'
    elif _OVER_THE_WEEKEND.search(weekday):
        yield f'Debian\'s cron never runs a range that ends before it starts, such as "{weekday}"; here it runs'
    if any(_STEP_OF_A_NUMBER.search(field) for field in fields):
        yield "Debian's cron refuses a step without a range, such as 5/20; here it continues to the end of the field"
    if _OURS_ALONE.search(day) or _OURS_ALONE.search(weekday):
        yield "Debian's cron does not know L and W; here they mean the last day and the nearest weekday"
    if "*" not in (day, weekday) and (day.startswith("*") or weekday.startswith("*")):
        yield (
            "day of month or day of week starts with *, so both must match, as in Debian's cron and cronie; "
            "other crons accept either"
        )
