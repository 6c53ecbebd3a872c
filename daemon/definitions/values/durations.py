"""Durations as settings take them."""

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lease.durations import parse_duration

from .refusal import Refusal, shown

LONGEST_DURATION = 100 * 365 * 86_400.0


def check_duration(value: Any, least: float = 0.0) -> float:
    """Return a duration in seconds; raises `InvalidDuration`, or `Refusal` if it is below ``least``
    or too long.
    """
    seconds = parse_duration(value)
    if seconds < least:
        raise Refusal(f"{shown(value)} is too short", f"write at least {least:g} seconds")
    if seconds > LONGEST_DURATION:
        raise Refusal(f"{shown(value)} is too long", "write at most 100 years")
    return seconds


def duration(least: float = 0.0) -> BeforeValidator:
    """Return the validator of a duration of at least so many seconds, which is kept in seconds."""
    written = Annotated[str, Field(pattern=r"^[\d. dhms]+$")] | Annotated[float, Field(ge=least)]
    title = f"a duration of {least:g} s or more" if least else "a duration"
    return BeforeValidator(
        partial(check_duration, least=least), json_schema_input_type=Annotated[written, Field(title=title)]
    )
