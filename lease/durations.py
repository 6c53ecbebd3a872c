"""Durations as users write them: ``"15s"``, ``"40m"``, ``"2h30m"``, a number of seconds, or a
`timedelta`; and the waits between tries.
"""

import math
import re
from datetime import timedelta

from .errors import InvalidDuration

Duration = str | int | float | timedelta
"""What every public function takes as a duration."""

_TOO_LONG = 1e15
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(value: Duration) -> float:
    """Return ``value`` in seconds: ``parse_duration("2h30m") == 9000.0``.

    Raises `InvalidDuration` for anything negative, unreadable or not finite.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidDuration(_complaint(value))
    if isinstance(value, (int, float)):
        seconds = float(value) if abs(value) < _TOO_LONG else math.inf
    else:
        text = value.replace(" ", "")
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            seconds = float(text)
        elif _WHOLE.fullmatch(text):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        else:
            raise InvalidDuration(_complaint(value, negative=text.startswith("-")))
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidDuration(_complaint(value, negative=seconds < 0))
    return seconds


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as a person writes it: ``format_duration(9000) == "2h30m"``."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 60:
        return f"{round(seconds, 2):g}s"
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts[:2])


def _complaint(value: object, *, negative: bool = False) -> str:
    why = ", which is never negative" if negative else ""
    return f'{value!r} is not a duration{why}; write it like "15s", "40m" or "2h30m", or as a number of seconds'


def next_wait(previous: float, first: float, longest: float) -> float:
    """Return the wait before one more try, in seconds: ``first``, or twice the ``previous`` one, at most ``longest``."""
    return min(2 * previous or first, longest)
