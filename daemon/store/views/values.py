"""Read models as plain values, fit for JSON: instants in UTC, durations in seconds."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from ...instants import format_instant

Row = Any
"""A row of SQLAlchemy."""


def plain(value: Any) -> Any:
    """Return ``value`` (a read model, or anything in one) as texts, numbers, lists and dictionaries."""
    match value:
        case datetime():
            return format_instant(value)
        case float():
            return round(value, 3)
        case tuple() | list():
            return [plain(one) for one in value]
        case Mapping():
            return {key: plain(one) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value
