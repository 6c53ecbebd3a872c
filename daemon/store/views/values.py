"""Read models as plain values for JSON: instants in UTC, durations in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

from ...instants import format_instant

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def plain(value: Any) -> Any:
    """Return ``value`` (a read model, or a part of one) as strings, numbers, lists and dicts."""
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:  # a report of 5,000 schedules has 100,000 of them
        return value
    if (names := _fields(kind)) is not None:
        return {name: plain(getattr(value, name)) for name in names}
    match value:
        case datetime():
            return format_instant(value)
        case float():
            return round(value, 3)
        case tuple() | list():
            return [plain(item) for item in value]
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


@cache
def _fields(kind: Any) -> Sequence[str] | None:
    """Return the names of the fields of a read model; None for anything else."""
    return [one.name for one in fields(kind)] if is_dataclass(kind) else None
