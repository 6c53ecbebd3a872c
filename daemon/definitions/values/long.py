"""From when on a run counts as long."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ...states import LONG_LEVELS, LongLevel
from ...text import suggestion
from .durations import check_duration
from .refusal import Refusal, shown

_LEAST = 0.001
_WRITTEN = 'write it like "30m", or { warn = "10m", critical = "30m", emergency = "50m" }, or false'


def read_long(value: object) -> dict[LongLevel, float] | Literal[False]:
    """Return the thresholds in seconds, or False if there are to be none; raises `Refusal`."""
    if value is False:
        return False
    given: Any = value if isinstance(value, Mapping) else {"warn": value}
    if not given or value is True:
        raise Refusal(f"{shown(value)} does not say from when on a run is long", _WRITTEN)
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
        raise Refusal(f"{level} = {shown(value)} is not a duration", _WRITTEN) from None


_Duration = Annotated[str, Field(pattern=r"^[\d. dhms]+$")] | Annotated[float, Field(ge=_LEAST)]
Long = Annotated[
    dict[LongLevel, float] | Literal[False],
    BeforeValidator(
        read_long,
        json_schema_input_type=_Duration
        | Annotated[Mapping[LongLevel, _Duration], Field(min_length=1)]
        | Literal[False],
    ),
    Field(title="a duration, a table with `warn`, `critical` and `emergency`, or `false`"),
]
