"""Moments as people type them, at a terminal or into a form: a date and a time of day in a time zone, or an instant."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from ..errors import InvalidInstant
from ..instants import parse_instant

_TIME = r"\d{1,2}:\d\d(?::\d\d)?"
_FORM = re.compile(
    rf"(?:(?P<day>today|tomorrow|yesterday|\d{{4}}-\d\d-\d\d)(?:(?: +|T)(?P<at>{_TIME}))?|(?P<time>{_TIME}))"
    r"(?: *(?P<offset>Z|[+-]\d\d:?\d\d)| +(?P<zone>[A-Z]\S*))?",
    re.IGNORECASE,
)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_FIRST_YEAR = 2
_DAY, _TICK = timedelta(days=1), timedelta(microseconds=1)
_EXAMPLES = 'write it like "18:00", "tomorrow", "2026-12-01 02:00" or "2026-07-01T02:00:00Z"'


@dataclass(frozen=True, slots=True)
class TypedMoment:
    """An instant in UTC, and how what was typed was understood; empty if it could mean nothing else."""

    instant: datetime
    understood: str = ""


def typed_moment(
    text: str, zone: Callable[[], str], *, past: bool = False, to_end: bool = False, more: str = ""
) -> TypedMoment:
    """Return what was typed; raises `InvalidInstant`, with ``more`` about what else may be typed.

    What names no time zone is read in ``zone``. A time of day is the next one, or with ``past`` the last one; a date is
    its beginning, or with ``to_end`` its end.
    """
    match, understood = _FORM.fullmatch(text.strip()), ""
    try:
        found = parse_instant(text)
    except InvalidInstant as error:
        if match is None:
            said = str(error) if "is not a time;" not in str(error) else f'"{text}" is not a time; {_EXAMPLES}'
            raise InvalidInstant(f"{said}{more}") from None
        name, tz = _zone(match, zone)
        try:
            found, note = _meant(match, tz, _now(), past=past, to_end=to_end)
            local = found.astimezone(tz).isoformat(sep=" ", timespec="seconds")
        except (ValueError, OverflowError) as wrong:
            raise InvalidInstant(f'"{text}" is not a time ({wrong}); {_EXAMPLES}{more}') from None
        understood = f"{local}{f' ({name})' if name else ''}{note}"
    if found.year < _FIRST_YEAR:
        raise InvalidInstant(f'"{text}" is too early to count from; {_EXAMPLES}{more}')
    return TypedMoment(found, understood)


def _now() -> datetime:
    return datetime.now(UTC)


def _zone(match: re.Match[str], zone: Callable[[], str]) -> tuple[str, tzinfo]:
    from ..definitions.triggers.trigger import check_timezone  # noqa: PLC0415 - as above
    from ..definitions.values.refusal import Refusal  # noqa: PLC0415 - the definitions, and pydantic

    if (offset := match["offset"]) is not None:
        if offset.upper() == "Z":
            return "", UTC
        hours, minutes = int(offset[1:3]), int(offset[-2:])
        shift = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
        if abs(shift) >= _DAY or minutes > 59:
            raise InvalidInstant(f'"{offset}" is not an offset from UTC; write it like "+02:00"')
        return "", timezone(shift)
    try:
        name = check_timezone(match["zone"] or zone())
    except Refusal as error:
        raise InvalidInstant(f"{error.problem}; {error.remedy}") from None
    return name, ZoneInfo(name)


def _meant(match: re.Match[str], tz: tzinfo, now: datetime, *, past: bool, to_end: bool) -> tuple[datetime, str]:
    """Return the instant, and what is to be said of the choice; raises `ValueError` for a time that does not exist."""
    today = now.astimezone(tz).date()
    if (written := match["time"]) is not None:
        found, note = _at(today, _time(written), tz)
        if past and found > now:
            return *_at(today - _DAY, _time(written), tz)[:1], f": {written} today is still to come"
        if not past and found <= now:
            return *_at(today + _DAY, _time(written), tz)[:1], f": {written} has passed today"
        return found, note
    day = match["day"].lower()
    on = today + _DAYS[day] * _DAY if day in _DAYS else date.fromisoformat(day)
    if match["at"] is not None:
        return _at(on, _time(match["at"]), tz)
    if to_end:
        return _beginning(on + _DAY, tz) - _TICK, ", the end of that day"
    return _beginning(on, tz), ""


def _time(text: str) -> time:
    hour, minute, second = (*map(int, text.split(":")), 0)[:3]
    return time(hour, minute, second)


def _beginning(day: date, tz: tzinfo) -> datetime:
    """Return when a day begins; if the clock skips midnight, right after the gap."""
    return datetime.combine(day, time(), tz).astimezone(UTC)


def _at(day: date, at: time, tz: tzinfo) -> tuple[datetime, str]:
    wall = datetime.combine(day, at)
    first, second = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first, ""
    if first.astimezone(tz).replace(tzinfo=None) != wall:
        raise ValueError(f"the clock skips {at:%H:%M} on {day} in {tz}")
    return first, ": the clock shows that time twice, and this is the first"
