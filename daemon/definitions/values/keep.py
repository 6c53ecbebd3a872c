"""How much of a schedule's history is kept."""

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

from ...text import suggestion
from .refusal import Refusal, shown

Measure = Literal["days", "runs"]
"""By what it is said: the days after a run's end, or the number of runs."""

MEASURES: tuple[Measure, ...] = get_args(Measure)
MOST = {"days": 36_500, "runs": 1_000_000}
_WRITTEN = "write it like { days = 30, runs = 1000 }, or with only one of the two"


def read_keep(value: object) -> dict[str, int]:
    """Return the days and the runs that are kept, or the one of them that is given; raises `Refusal`."""
    if not isinstance(value, Mapping) or not value:
        raise Refusal(f"{shown(value)} does not say how much to keep", _WRITTEN)
    for measure, number in value.items():
        if measure not in MEASURES:
            raise Refusal(f"{shown(measure)} is not a limit", suggestion(str(measure), MEASURES))
        if not isinstance(number, int) or isinstance(number, bool):
            raise Refusal(f"{measure} = {shown(number)} is not a whole number", "write digits only, without quotes")
        if not 1 <= number <= MOST[measure]:
            raise Refusal(f"{number:,} {measure} cannot be kept", f"write a number from 1 to {MOST[measure]:,}")
    return {measure: value[measure] for measure in MEASURES if measure in value}


_Number = Annotated[int, Field(ge=1, le=max(MOST.values()))]
Keep = Annotated[
    dict[str, int],
    BeforeValidator(read_keep, json_schema_input_type=Annotated[Mapping[Measure, _Number], Field(min_length=1)]),
    Field(title="a table with `days`, `runs` or both"),
]
