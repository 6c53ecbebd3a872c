"""Instants and durations as the pages show them."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from markupsafe import Markup

_NBSP = "\N{NO-BREAK SPACE}"
_DAY = 86_400.0
_MINUTE = 60.0


class ShownTimes:
    """Writes instants in the zone that the user has chosen: each schedule's own, UTC, or the browser's."""

    def __init__(self, now: datetime, chosen: str = "schedule") -> None:
        self.now = now
        self._chosen = chosen

    def __call__(self, instant: datetime | None, zone: str | None = None, *, seconds: bool = False) -> Markup | str:
        """Return an instant as an HTML element, in ``zone`` if schedules' own are chosen; the day only if it is not today."""
        if instant is None:
            return ""
        utc = instant.astimezone(UTC)
        text, title = self.text(instant, zone, seconds=seconds), self.whole(instant, zone)
        return Markup('<time datetime="{}" title="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", title, text)

    def text(self, instant: datetime, zone: str | None = None, *, seconds: bool = False) -> str:
        """Return an instant for reading: ``02:48``, ``Mon 16:05``, ``1 Nov 06:00``, ``1 Nov 2027 06:00``."""
        at = self.zone(zone)
        local, today = _by_clock(instant, at), self.now.astimezone(at)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        days = abs((local.date() - today.date()).days)
        if days == 0:
            return clock
        if days < 7:
            return f"{local:%a}{_NBSP}{clock}"
        year = "" if local.year == today.year else f"{_NBSP}{local.year}"
        return f"{local.day}{_NBSP}{local:%b}{year}{_NBSP}{clock}"

    def whole(self, instant: datetime, zone: str | None = None) -> str:
        """Return an instant in full, in the chosen zone and in UTC."""
        local, utc = _by_clock(instant, self.zone(zone)), instant.astimezone(UTC)
        text = f"{local:%a} {local.day} {local:%b %Y %H:%M:%S %Z}"
        if local.utcoffset() == utc.utcoffset():
            return text
        day = "" if local.date() == utc.date() else f"{utc:%a} "
        return f"{text} · {day}{utc:%H:%M:%S} UTC"

    def away(self, instant: datetime) -> str:
        """Return how far away an instant is: ``in 13 min``, ``2 min ago``."""
        seconds = (instant - self.now).total_seconds()
        if abs(seconds) < 1:
            return "now"
        return f"in {rough(seconds)}" if seconds >= 0 else f"{rough(-seconds)} ago"

    def abbreviation(self, instant: datetime, zone: str | None = None) -> str:
        """Return what the zone is called in which an instant is shown: ``CEST``."""
        return f"{_by_clock(instant, self.zone(zone)):%Z}"

    def zone(self, own: str | None) -> tzinfo:
        """Return the zone in which something is shown whose own zone is ``own``."""
        match self._chosen:
            case "utc":
                return UTC
            case "schedule":
                return UTC if own is None else _zone(own)
            case mine:
                return _zone(mine)

    def clock(self, instant: datetime, zone: str | None = None, *, named: bool = False) -> str:
        """Return the time of day: ``02:00``; with seconds if there are any, and ``named`` with the zone: ``02:00 CET``."""
        local = _by_clock(instant, self.zone(zone))
        text = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
        return f"{text}{_NBSP}{local.tzname()}" if named else text

    def name(self, zone: str | None) -> str:
        """Return the name of the zone in which something is shown whose own zone is this."""
        return str(self.zone(zone))

    def before(self, seconds: float) -> datetime:
        """Return the instant so many seconds ago."""
        return self.now - timedelta(seconds=seconds)


def _by_clock(instant: datetime, zone: tzinfo) -> datetime:
    """Return an instant by the clock of a zone; in UTC if it is the first or the last that there is."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


@lru_cache(maxsize=1000)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # one that this machine does not know
        return UTC


def duration(seconds: float | None) -> str:
    """Return a duration for reading: ``0.4 s``, ``3 min 20 s``, ``41 min``, ``2 h 5 min``, ``3 d 4 h``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 0.95:
        return f"{max(seconds, 0):.1f}{_NBSP}s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}{_NBSP}s"
    if whole < 10 * _MINUTE:
        return _two(whole // 60, "min", whole % 60, "s")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes}{_NBSP}min"
    if seconds < 2 * _DAY:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / 3600)
    if hours < 10 * 24:
        return _two(hours // 24, "d", hours % 24, "h")
    return f"{round(seconds / _DAY)}{_NBSP}d"


def rough(seconds: float) -> str:
    """Return a duration for reading, from two minutes on in whole minutes."""
    return duration(seconds if seconds < 2 * _MINUTE else round(seconds / _MINUTE) * _MINUTE)


def times(seconds: float, usual: float) -> str:
    """Return how many times as long as usual something takes: ``3.4`` and a multiplication sign."""
    ratio = seconds / max(usual, 0.1)
    text = f"{ratio:.1f}" if ratio < 1000 else f"{count(1000)}+"
    return f"{text}\N{MULTIPLICATION SIGN}"


def count(value: float) -> str:
    """Return a count with thin spaces between thousands: ``12 840``."""
    return f"{value:,.2f}".removesuffix(".00").replace(",", "\N{NARROW NO-BREAK SPACE}")


def _two(large: int, unit: str, small: int, rest: str) -> str:
    return f"{large}{_NBSP}{unit}" + (f" {small}{_NBSP}{rest}" if small else "")
