"""When a schedule is due: by cron, at an interval, once, or on request only; and the values of settings that say so."""

import zoneinfo
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, PlainSerializer

from lease.durations import format_duration

from ...instants import format_instant, parse_instant
from ...states import ON_REQUEST
from ...text import nearest
from ..definition import Definition
from ..values.durations import check_duration
from ..values.refusal import Refusal, read_by, shown
from ..values.strings import Text
from . import cron, wall_time
from .wall_time import Tally, but_newest, is_time_of_day


@cache
def zone_rules(name: str) -> Hashable:
    """Return a digest of a zone's rules, the same for `Europe/Kiev` and `Europe/Kyiv`; its name if none are found."""
    for folder in zoneinfo.TZPATH:
        with suppress(OSError):
            return sha256(Path(folder, name).read_bytes()).digest()
    with suppress(ImportError, OSError):
        return sha256(files("tzdata").joinpath("zoneinfo", name).read_bytes()).digest()
    return name


class Trigger:
    """What says when a schedule is due; ``str`` is what people read: ``every 20s``."""

    __slots__ = ()

    def instants(self, after: datetime, *, zone: tzinfo, anchor: datetime) -> Iterator[datetime]:
        """Yield the due instants after ``after`` in UTC, in order."""
        del after, zone, anchor
        return iter(())

    def older(self, after: datetime, until: datetime, least: int, *, zone: tzinfo, anchor: datetime) -> Tally | None:
        """Count the instants after ``after`` up to ``until`` but for the newest, of which at least
        ``least`` are left out; None if there are not so many.
        """
        del after, until, least, zone, anchor
        return None

    def meaning(self, zone: ZoneInfo) -> Hashable:
        """Return what decides its instants by the clock of ``zone``, the same for each spelling."""
        del zone
        return self


@dataclass(frozen=True, slots=True)
class Cron(Trigger):
    """A cron expression, read by the clock of the schedule's time zone; raises `InvalidCron`."""

    expression: str
    pattern: cron.Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "expression", " ".join(self.expression.split()))
        object.__setattr__(self, "pattern", cron.parse(self.expression))

    def __str__(self) -> str:
        return f"cron {self.expression}"

    def instants(self, after: datetime, *, zone: tzinfo, anchor: datetime) -> Iterator[datetime]:
        del anchor
        return wall_time.matches_of(self.pattern, after, zone)

    def older(self, after: datetime, until: datetime, least: int, *, zone: tzinfo, anchor: datetime) -> Tally | None:
        del anchor
        return but_newest(wall_time.tallies_of(self.pattern, after, until, zone), least)

    def meaning(self, zone: ZoneInfo) -> Hashable:
        steady = time(tzinfo=zone).utcoffset()
        if steady is not None:
            return Cron, self.pattern.meaning(), steady
        # Where a clock repeats an hour, it matters how an expression is written (`wall_time`).
        return Cron, self.pattern.meaning(), zone_rules(zone.key), self.pattern.fixed


@dataclass(frozen=True, slots=True)
class Every(Trigger):
    """An interval in seconds of elapsed time, counted from the anchor."""

    interval: float

    def __str__(self) -> str:
        return f"every {format_duration(self.interval)}"

    def instants(self, after: datetime, *, zone: tzinfo, anchor: datetime) -> Iterator[datetime]:
        del zone
        step = timedelta(seconds=self.interval)
        number = max((after - anchor) // step + 1, 0)
        with suppress(OverflowError):
            instant = anchor + number * step
            while True:
                yield instant
                instant += step

    def older(self, after: datetime, until: datetime, least: int, *, zone: tzinfo, anchor: datetime) -> Tally | None:
        del zone
        step = timedelta(seconds=self.interval)
        first = max((after - anchor) // step + 1, 0)
        last = (until - anchor) // step - least
        return Tally(anchor + first * step, anchor + last * step, last - first + 1) if first <= last else None

    def meaning(self, zone: ZoneInfo) -> Hashable:
        del zone
        return Every, timedelta(seconds=self.interval)


@dataclass(frozen=True, slots=True)
class At(Trigger):
    """One instant."""

    instant: datetime

    def __str__(self) -> str:
        return f"at {format_instant(self.instant)}"

    def instants(self, after: datetime, *, zone: tzinfo, anchor: datetime) -> Iterator[datetime]:
        del zone, anchor
        if self.instant > after:
            yield self.instant


@dataclass(frozen=True, slots=True)
class OnRequest(Trigger):
    """No instant at all: it runs only when a person or a program requests it."""

    def __str__(self) -> str:
        return ON_REQUEST


_LATER = "`leased trigger --at` requests a run for later"
_MEANINGLESS = {
    "starts": ("no run is held back until then", f"leave it out; {_LATER}"),
    "ends": ("nothing ends then", "leave it out; you decide when to stop requesting runs"),
    "enabled": ("there is nothing to switch off", "leave it out; it runs only on request"),
    "catch_up": ("it misses no runs", "leave it out"),
    "start_within": (
        "no scheduled time can be too old",
        'leave it out; finish_by = "4h" reports runs that are late',
    ),
    "exclude": ("it is not due on any day", "leave it out; a run starts on the day of its request"),
    "finish_by": (
        "it has no scheduled times that a time of day could follow",
        'write a duration, which counts from the request, like "4h"',
    ),
    "jitter": ("it has no scheduled times to spread", f"leave it out; {_LATER}"),
}
"""By setting, what follows from having no instants, and the remedy."""


def is_meaningless(setting: str, value: object) -> bool:
    """Return whether a setting that has another value than its default means nothing on request."""
    return setting in _MEANINGLESS and (setting != "finish_by" or isinstance(value, str))


def refuse_meaningless(schedule: Definition) -> None:
    """Raise `Refusal` for the first of its settings that means nothing on request."""
    for setting, info in schedule.settings().items():
        value = getattr(schedule, setting)
        if value != info.default and is_meaningless(setting, value):
            follows, remedy = _MEANINGLESS[setting]
            raise Refusal(f"it runs only on request, so {follows}", remedy, field=setting)


# The settings that say so, as people write them


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


CronText = Annotated[Text, AfterValidator(lambda text: Cron(text).expression), Field(title="a cron expression")]
Instant = Annotated[datetime, read_by(parse_instant, datetime, "a time"), PlainSerializer(format_instant)]
Zone = Annotated[Text, AfterValidator(check_timezone), Field(title="an IANA name")]
_Deadline = Annotated[str, Field(pattern=r"^[\d.: dhms]+$")] | Annotated[float, Field(ge=0.001)]
FinishBy = Annotated[float | str, read_by(read_deadline, _Deadline, "a time of day, or a duration")]
