"""Cron expressions, instants and time zones."""

from datetime import datetime
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from ...instants import format_instant, parse_instant
from ...text import nearest
from ..triggers.trigger import Cron
from .refusal import Refusal, shown
from .strings import Text


def check_timezone(name: str) -> str:
    """Return ``name``; raises `Refusal` if this machine knows no such time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        zones = _zones()
        near = nearest(name, [*zones, *(zone.rpartition("/")[2] for zone in zones)], 0.75)
        known = [zone for zone in zones if near is not None and (zone == near or zone.endswith(f"/{near}"))]
        remedy = f'did you mean "{known[0]}"?' if known else 'use a name of the IANA list, as "Europe/Berlin" or "UTC"'
        raise Refusal(f"there is no time zone {shown(name)}", remedy) from None
    return name


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


CronExpression = Annotated[Text, AfterValidator(lambda text: Cron(text).expression), Field(title="a cron expression")]
Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant, json_schema_input_type=datetime),
    PlainSerializer(format_instant),
    Field(title="an instant"),
]
TimeZone = Annotated[Text, AfterValidator(check_timezone), Field(title="a name of the IANA list")]
