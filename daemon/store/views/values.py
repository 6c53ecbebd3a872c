"""Read models as plain values for JSON: instants in UTC, durations in seconds."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from ...instants import format_instant


def plain(value: Any) -> Any:
    """Return ``value`` (a read model, or a part of one) as strings, numbers, lists and dicts."""
    match value:
        case datetime():
            return format_instant(value)
        case float():
            return round(value, 3)
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
