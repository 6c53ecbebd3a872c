"""The types of settings: how people write a value, what is kept of it, and what is refused."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, Strict

from lease.durations import parse_duration

from ..instants import format_instant, parse_instant
from ..text import nearest
from .names import Named, check_name
from .refusal import Refusal, shown
from .triggers.trigger import Cron

LONGEST_DURATION = 100 * 365 * 86_400.0
DEEPEST_TABLE = 100


def duration(least: float = 0.0) -> BeforeValidator:
    """Return what reads a duration of so many seconds at least."""

    def read(value: Any) -> float:
        seconds = parse_duration(value)
        if seconds < least:
            raise Refusal(f"{shown(value)} is too short", f"{least:g} seconds are the least")
        if seconds > LONGEST_DURATION:
            raise Refusal(f"{shown(value)} is too long", "100 years are the most")
        return seconds

    written = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ms|d|h|m|s)?)+$")] | Annotated[float, Field(ge=least)]
    title = f"a duration of {least:g} s or more" if least else "a duration"
    return BeforeValidator(read, json_schema_input_type=Annotated[written, Field(title=title)])


def name_of(kind: Named) -> BeforeValidator:
    """Return what reads a name."""
    return BeforeValidator(partial(check_name, kind), json_schema_input_type=Annotated[str, Field(title="a name")])


def is_storable(text: str) -> bool:
    """Return whether databases and operating systems take this string."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_text(text: str) -> str:
    """Return ``text``; raises `Refusal` if it cannot be stored."""
    if not is_storable(text):
        raise Refusal(f"{shown(text)} has a character that cannot be stored", "leave it out")
    return text


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


def read_strings(value: object) -> tuple[str, ...]:
    """Return strings in the order of a list, or those of a set sorted; raises `Refusal`."""
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in value):
        raise Refusal(f"{shown(value)} is not a list of strings", 'write it like ["a", "b"]')
    return tuple(map(check_text, sorted(value) if isinstance(value, (set, frozenset)) else value))


def read_table(value: object) -> dict[str, Any]:
    """Return a copy that holds only what JSON can, its keys in their order; raises `Refusal`."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refusal(f"{shown(value)} is not a table of names and values", "write it like { key = 1 }")
    if _is_deeper(value, DEEPEST_TABLE):
        raise Refusal(f"its lists and tables are nested more than {DEEPEST_TABLE} deep", "make it flatter")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        raise Refusal("a string in it has a character that cannot be stored", "leave it out") from None
    except (TypeError, ValueError) as error:
        remedy = "only strings, numbers, true and false, lists and tables are kept; write others as strings"
        raise Refusal(f"a value in it cannot be stored ({error})", remedy) from None
    return dict(json.loads(text))


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    items = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


@cache
def _zones() -> list[str]:
    return sorted(available_timezones())


Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Text = Annotated[str, Strict(), AfterValidator(check_text)]
Folder = Annotated[Text | None, AfterValidator(lambda path: path or None), Field(title="a folder")]
TimeZone = Annotated[Text, AfterValidator(check_timezone), Field(title="a name of the IANA list")]
CronExpression = Annotated[
    Text, AfterValidator(lambda text: Cron(text).expression), Field(title="a [cron expression](#cron)")
]
Instant = Annotated[
    datetime,
    BeforeValidator(parse_instant, json_schema_input_type=datetime),
    PlainSerializer(format_instant),
    Field(title="an instant"),
]
Strings = Annotated[
    tuple[str, ...],
    BeforeValidator(read_strings, json_schema_input_type=Sequence[str]),
    Field(title="a list of strings"),
]
Table = Annotated[
    dict[str, Any],
    BeforeValidator(read_table, json_schema_input_type=Mapping[str, Any]),
    Field(title="a table of what JSON holds"),
]
