"""Durations, and the settings that are made of them: how long history is kept, and when a run takes long."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from lease.durations import parse_duration

from ...states import LONG_LEVELS, LongLevel
from ...text import suggestion
from .refusal import Refusal, read_by, shown

LONGEST_DURATION = 100 * 365 * 86_400.0


def check_duration(value: Any, least: float = 0.0) -> float:
    """Return a duration in seconds; raises `InvalidDuration`, or `Refusal` if it is below ``least`` or too long."""
    seconds = parse_duration(value)
    if seconds < least:
        raise Refusal(f"{shown(value)} is too short", f"write at least {least:g} seconds")
    if seconds > LONGEST_DURATION:
        raise Refusal(f"{shown(value)} is too long", "write at most 100 years")
    return seconds


def duration(least: float = 0.0) -> BeforeValidator:
    """Return the validator of a duration of at least so many seconds, which is kept in seconds."""
    title = f"a duration of {least:g} s or more" if least else "a duration"
    written = Annotated[str, Field(pattern=r"^[\d. dhms]+$")] | Annotated[float, Field(ge=least)]
    return read_by(partial(check_duration, least=least), written, title)


Measure = Literal["days", "runs"]
"""By what it is said: the days after a run's end, or the number of runs."""

MEASURES: tuple[Measure, ...] = get_args(Measure)
MOST = {"days": 36_500, "runs": 1_000_000}
_KEEP_WRITTEN = "write it like { days = 30, runs = 1000 }, or with only one of the two"


def read_keep(value: object) -> dict[str, int]:
    """Return the days and the runs that are kept, or the one of them that is given; raises `Refusal`."""
    if not isinstance(value, Mapping) or not value:
        raise Refusal(f"{shown(value)} does not say how much to keep", _KEEP_WRITTEN)
    for measure, number in value.items():
        if measure not in MEASURES:
            raise Refusal(f"{shown(measure)} is not a limit", suggestion(str(measure), MEASURES))
        if not isinstance(number, int) or isinstance(number, bool):
            raise Refusal(f"{measure} = {shown(number)} is not a whole number", "write digits only, without quotes")
        if not 1 <= number <= MOST[measure]:
            raise Refusal(f"{number:,} {measure} cannot be kept", f"write a number from 1 to {MOST[measure]:,}")
    return {measure: value[measure] for measure in MEASURES if measure in value}


_Amounts = Annotated[Mapping[Measure, Annotated[int, Field(ge=1, le=max(MOST.values()))]], Field(min_length=1)]
Keep = Annotated[dict[str, int], read_by(read_keep, _Amounts, "a table with `days`, `runs` or both")]


_LEAST = 0.001
_LONG_WRITTEN = 'write it like "30m", or { warn = "10m", critical = "30m", emergency = "50m" }, or false'


def read_long(value: object) -> dict[LongLevel, float] | Literal[False]:
    """Return the thresholds in seconds, or False if there are to be none; raises `Refusal`."""
    if value is False:
        return False
    given: Any = value if isinstance(value, Mapping) else {"warn": value}
    if not given or value is True:
        raise Refusal(f"{shown(value)} does not say from when on a run is long", _LONG_WRITTEN)
    for level in given:
        if level not in LONG_LEVELS:
            raise Refusal(f"{shown(level)} is not a level", suggestion(str(level), LONG_LEVELS))
    found = {level: _seconds(level, given[level]) for level in LONG_LEVELS if level in given}
    for (level, seconds), (higher, more) in pairwise(found.items()):
        if more <= seconds:
            raise Refusal(f"{higher} does not come after {level}", f"write a longer duration for {higher}")
    return found


def _seconds(level: str, value: object) -> float:
    try:
        return check_duration(value, _LEAST)
    except Refusal as refusal:
        raise Refusal(f"{level} = {refusal.problem}", refusal.remedy) from None
    except ValueError:
        raise Refusal(f"{level} = {shown(value)} is not a duration", _LONG_WRITTEN) from None


_Duration = Annotated[str, Field(pattern=r"^[\d. dhms]+$")] | Annotated[float, Field(ge=_LEAST)]
_Thresholds = _Duration | Annotated[Mapping[LongLevel, _Duration], Field(min_length=1)] | Literal[False]
Long = Annotated[
    dict[LongLevel, float] | Literal[False],
    read_by(read_long, _Thresholds, "a duration, a table with `warn`, `critical` and `emergency`, or `false`"),
]
