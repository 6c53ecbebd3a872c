"""The IANA time zone database from the package `tzdata`, independent of the machine's own.

The transitions come from the compiled files (RFC 9636): first those that a file lists, then those
that its rule gives for later years.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import NamedTuple

FIRST = int(datetime(1970, 1, 1, tzinfo=UTC).timestamp())
END = int(datetime(2038, 1, 1, tzinfo=UTC).timestamp())
_DATA = resources.files("tzdata")
_HOUR = 3_600


class Local(NamedTuple):
    """Local time: seconds east of UTC, whether it is daylight saving time, abbreviation."""

    utc_offset: int
    dst: bool
    abbreviation: str


class Transition(NamedTuple):
    """A change of local time at an instant, in seconds since 1970, UTC."""

    at: int
    local: Local


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its local time at the start of 1970, its transitions from then to the end of 2037,
    and the rule for later ones.
    """

    name: str
    alias_of: str | None
    first: Local
    rule: str
    transitions: tuple[Transition, ...]


class CountryZone(NamedTuple):
    """A zone that is used in a country, which is given by its ISO 3166 code."""

    country: str
    zone: str
    comment: str


def version() -> str:
    """Return the release, such as "2026a"."""
    return _text("zoneinfo/tzdata.zi").split("\n", 1)[0].removeprefix("# version ")


def zone_names() -> list[str]:
    """Return the names of all zones, aliases included."""
    return sorted(_text("zones").split())


def aliases() -> dict[str, str]:
    """Return the zone that each alias stands for."""
    links = (line.split() for line in _text("zoneinfo/tzdata.zi").splitlines() if line.startswith("L "))
    return {name: target for _, target, name in links}


def countries() -> dict[str, str]:
    """Return the names of all countries, by code."""
    return {row[0]: row[1] for row in _rows("iso3166.tab")}


def country_zones() -> list[CountryZone]:
    """Return the zones of all countries."""
    return [CountryZone(code, zone, rest[0] if rest else "") for code, _, zone, *rest in _rows("zone.tab")]


def read_zone(name: str, alias_of: str | None = None) -> Zone:
    """Return a zone with its transitions."""
    listed, before, rule = _parse(_DATA.joinpath("zoneinfo", *name.split("/")).read_bytes())
    last = listed[-1].at if listed else FIRST - 1
    future = [transition for transition in _by_rule(rule) if transition.at > last] if rule else []
    every = [*listed, *future]
    begun = bisect_right([transition.at for transition in every], FIRST)
    first = every[begun - 1].local if begun else before
    return Zone(name, alias_of, first, rule, tuple(_changes(first, every[begun:])))


def _text(path: str) -> str:
    return _DATA.joinpath(*path.split("/")).read_text(encoding="utf-8")


def _rows(table: str) -> list[list[str]]:
    return [line.split("\t") for line in _text(f"zoneinfo/{table}").splitlines() if line and not line.startswith("#")]


def _changes(local: Local, transitions: list[Transition]) -> Iterator[Transition]:
    """Yield transitions that change something, up to the end of 2037."""
    for transition in transitions:
        if transition.at < END and transition.local != local:
            local = transition.local
            yield transition


# A compiled file: a block with 32-bit times, a block with 64-bit times, and the rule between newlines.

_HEADER = struct.Struct(">4sc15x6L")


def _parse(data: bytes) -> tuple[list[Transition], Local, str]:
    """Return the listed transitions, the local time before them, and the rule for later."""
    magic, _, isut, isstd, leap, times, types, letters = _HEADER.unpack_from(data)
    if magic != b"TZif":
        raise ValueError("this is not a compiled time zone file")
    start = _HEADER.size + 5 * times + 6 * types + letters + 8 * leap + isstd + isut
    _, _, isut, isstd, leap, times, types, letters = _HEADER.unpack_from(data, start)
    start += _HEADER.size
    instants = struct.unpack_from(f">{times}q", data, start)
    kinds = data[start + 8 * times : start + 9 * times]
    start += 9 * times
    names = data[start + 6 * types : start + 6 * types + letters]
    locals_ = [_local(names, *struct.unpack_from(">lBB", data, start + 6 * index)) for index in range(types)]
    footer = data[start + 6 * types + letters + 12 * leap + isstd + isut :].decode("ascii").strip("\n")
    return [Transition(at, locals_[kind]) for at, kind in zip(instants, kinds, strict=True)], locals_[0], footer


def _local(names: bytes, offset: int, dst: int, begin: int) -> Local:
    return Local(offset, bool(dst), names[begin : names.index(b"\0", begin)].decode("ascii"))


# The rule "CET-1CEST,M3.5.0,M10.5.0/3": CEST from the last Sunday of March at 2:00, and CET, which is
# 1 h east of UTC, from the last Sunday of October at 3:00.

_NAME = r"(?:<([^>]+)>|([A-Za-z]+))"
_TIME = r"([+-]?\d+(?::\d+){0,2})"
_RULE = re.compile(rf"{_NAME}{_TIME}(?:{_NAME}{_TIME}?,([^,]+),([^,]+))?")
_DAY = re.compile(rf"M(\d+)\.(\d+)\.(\d+)(?:/{_TIME})?")


def _by_rule(rule: str) -> list[Transition]:
    """Return the transitions that the rule gives for 1970 to 2037."""
    match = _RULE.fullmatch(rule)
    if match is None:
        raise ValueError(f"the rule {rule!r} cannot be read")
    quoted, plain, west, dst_quoted, dst_plain, dst_west, begins, ends = match.groups()
    standard = Local(-_seconds(west), dst=False, abbreviation=quoted or plain)
    if begins is None:
        return [Transition(FIRST, standard)]
    offset = -_seconds(dst_west) if dst_west else standard.utc_offset + _HOUR
    summer = Local(offset, dst=True, abbreviation=dst_quoted or dst_plain)
    return sorted(
        transition
        for year in range(1970, 2039)
        for transition in (
            Transition(_wall(begins, year) - standard.utc_offset, summer),
            Transition(_wall(ends, year) - summer.utc_offset, standard),
        )
    )


def _wall(day: str, year: int) -> int:
    """Return a day and time of the rule as seconds since 1970 in local time."""
    match = _DAY.fullmatch(day)
    if match is None:
        raise ValueError(f"the day {day!r} of a rule is not written as month, week and weekday")
    month, week, weekday = (int(number) for number in match.groups()[:3])
    first = date(year, month, 1)
    found = first + timedelta(days=(weekday - first.isoweekday()) % 7 + 7 * (week - 1))
    while found.month != month:  # week 5 is the last one, which may be the fourth
        found -= timedelta(days=7)
    return (found - date(1970, 1, 1)).days * 24 * _HOUR + _seconds(match[4] or "2")


def _seconds(time: str) -> int:
    hours, minutes, seconds = (*(int(part) for part in time.lstrip("+-").split(":")), 0, 0)[:3]
    return (-1 if time.startswith("-") else 1) * (hours * _HOUR + minutes * 60 + seconds)
