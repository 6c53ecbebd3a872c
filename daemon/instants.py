"""Instants as users write them: RFC 3339 with an offset, so that they mean the same everywhere."""

import re
from datetime import UTC, datetime, timedelta

from lease.durations import parse_duration
from lease.errors import InvalidDuration

from .errors import InvalidInstant

_EXAMPLE = 'write it like "2026-07-01T02:00:00Z"'
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(?P<offset>Z|[+-]\d\d:\d\d)?")
_DATE_OR_STAMP = re.compile(r"\d{8,}(\.0)?")
"""20261201, or seconds since 1970: somebody means a date by it, and no duration of months."""


def parse_instant(value: object) -> datetime:
    """Return ``value`` (RFC 3339, or a `datetime` with a time zone) in UTC; raises `InvalidInstant`."""
    if isinstance(value, datetime):
        instant = value
    elif isinstance(value, str) and (match := _RFC_3339.fullmatch(value.strip().upper())):
        try:
            instant = datetime.fromisoformat(match.group())
        except ValueError as error:
            raise InvalidInstant(f'"{value}" is not a time ({error}); {_EXAMPLE}') from None
    else:
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        raise InvalidInstant(f"{shown} is not a time; {_EXAMPLE}")
    if instant.utcoffset() is None:
        raise InvalidInstant(
            f'"{value}" has no time zone; add Z for UTC or an offset, as in "2026-07-01T02:00:00+02:00"'
        )
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidInstant(f'"{value}" is outside the supported range of years; {_EXAMPLE}') from None


def duration_of(value: str | float) -> timedelta | None:
    """Return the duration that a user gives in the place of an instant; None if it is none."""
    if _DATE_OR_STAMP.fullmatch(str(value).strip()) is not None:
        return None
    try:
        return timedelta(seconds=parse_duration(value))
    except (InvalidDuration, OverflowError):
        return None


def format_instant(instant: datetime) -> str:
    """Return ``instant`` in UTC as RFC 3339: ``2026-07-01T00:00:00Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
