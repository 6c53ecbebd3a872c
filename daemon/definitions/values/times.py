"""Cron expressions, instants, time zones and deadlines."""

from datetime import datetime, time
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, PlainSerializer

from ...instants import format_instant, parse_instant
from ...text import nearest
from ..triggers.trigger import Cron
from ..triggers.wall_time import is_time_of_day
from .durations import check_duration
from .refusal import Refusal, read_by, shown
from .strings import Text


def check_timezone(name: str) -> str:
    """Return ``name``; raises `Refusal` if this machine knows no such time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        zones = _zones()
        near = nearest(name, [*zones, *(zone.rpartition("/")[2] for zone in zones)], 0.75)
        known = [zone for zone in zones if near is not None and (zone == near or zone.endswith(f"/{near}"))]
        remedy = f'did you mean "{known[0]}"?' if known else 'use an IANA name, such as "Europe/Berlin" or "UTC"'
        raise Refusal(f"there is no time zone {shown(name)}", remedy) from None
    return name


def read_deadline(value: object) -> float | str:
    """Return a time of day, or a duration in seconds; raises `Refusal`."""
    text = value.isoformat() if isinstance(value, time) else value.strip() if isinstance(value, str) else ""
    if is_time_of_day(text):
        return text.removesuffix(":00") if len(text) > len("06:00") else text
    try:
        return check_duration(value, least=0.001)
    except Refusal:
        raise
    except ValueError:
        problem = f"{shown(text or value)} is neither a time of day nor a duration"
        raise Refusal(problem, 'write it like "06:00" or "4h"') from None


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


CronExpression = Annotated[Text, AfterValidator(lambda text: Cron(text).expression), Field(title="a cron expression")]
Instant = Annotated[
    datetime,
    read_by(parse_instant, datetime, "a time"),
    PlainSerializer(format_instant),
]
TimeZone = Annotated[Text, AfterValidator(check_timezone), Field(title="an IANA name")]
FinishBy = Annotated[
    float | str,
    read_by(
        read_deadline,
        Annotated[str, Field(pattern=r"^[\d.: dhms]+$")] | Annotated[float, Field(ge=0.001)],
        "a time of day, or a duration",
    ),
]
