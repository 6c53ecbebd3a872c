"""When the clocks of the world change, each change once: zones that agree on it are one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
AROUND = timedelta(hours=24)
"""How long before and after a change is looked at."""
_APART = timedelta(days=3)
"""No zone changes its clock and back within it."""
_SEEN = timedelta(days=10)
"""All that can matter: changes within it that differ are two."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a zone's clock."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def by(self) -> timedelta:
        return self.after - self.before

    @property
    def gap(self) -> tuple[datetime, datetime]:
        """What the clock skips, in wall time; empty where it repeats."""
        wall = self.at.replace(tzinfo=None)
        return wall + self.before, wall + self.after


@dataclass(frozen=True, slots=True)
class Change:
    """A change, and a zone that has it."""

    transition: Transition
    zone: str


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone as the package `tzdata` has it, whatever the machine has."""
    with files("tzdata").joinpath("zoneinfo", name).open("rb") as file:
        return ZoneInfo.from_file(file, name)


def zones() -> list[str]:
    """Return the names of all zones."""
    return sorted(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def changes(names: Iterable[str]) -> list[Change]:
    """Return each change of these zones from 2020 to 2030 once, in the order of time."""
    found: dict[tuple[Transition, ...], Change] = {}
    seen: set[bytes] = set()
    for name in names:
        data = files("tzdata").joinpath("zoneinfo", name).read_bytes()
        if data in seen:
            continue  # another name of a zone
        seen.add(data)
        own = list(_transitions(zone_of(name)))
        for one in own:
            near = tuple(other for other in own if abs(other.at - one.at) < _SEEN)
            if FIRST <= one.at < LAST:
                found.setdefault((one, *near), Change(one, name))
    return sorted(found.values(), key=lambda change: (change.transition.at, change.zone))


def _transitions(zone: ZoneInfo) -> Iterator[Transition]:
    start = FIRST - _SEEN
    before = _offset(zone, start)
    while start < LAST + _SEEN:
        end = start + _APART
        after = _offset(zone, end)
        if after != before:
            yield Transition(_change_between(zone, start, end), before, after)
        start, before = end, after


def _change_between(zone: ZoneInfo, before: datetime, change: datetime) -> datetime:
    offset = _offset(zone, before)
    while change - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(change - before) // timedelta(seconds=2))
        if _offset(zone, middle) == offset:
            before = middle
        else:
            change = middle
    return change


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
