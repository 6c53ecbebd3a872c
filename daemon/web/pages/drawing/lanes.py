"""The lane of a schedule on the timeline: what it did, in columns of which the worst state wins, and what it will do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from typing import Literal, get_args

COLUMNS = 1_200
MOST_BARS = 200
MOST_CROSSES = 40
"""So many failures and hand-overs of a lane are marked, each kind."""
_LEAST = 3
"""A bar is so many columns wide, at least."""
_APART = 9
"""Columns between two marks, at least."""
_WIDTHS = (1, 2, 4, 8)
_TOP, _BOTTOM, _DOTS = 10, 28, 32
Look = Literal["bad", "crash", "miss", "late", "long", "run", "can", "skip", "ok"]
"""What became of a time: failed, crashed, missed, late, longer than usual, running, cancelled, skipped, succeeded. The
worst is the first.
"""
LOOKS: tuple[Look, ...] = get_args(Look)
_DOTTED: tuple[Look, ...] = ("miss", "skip")
"""Nothing ran: no bar, but a dot below."""
STEPS = tuple(timedelta(minutes=minutes) for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440))


@dataclass(frozen=True, slots=True)
class Bar:
    """A time in which something was so, in seconds from the beginning of the window."""

    look: Look
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class DrawnLane:
    """A lane, ready to be drawn: columns in paths, percentages elsewhere."""

    paths: tuple[tuple[str, str], ...]
    """Classes and geometry."""
    crosses: tuple[float, ...] = ()
    """Where it failed."""
    hand_overs: tuple[float, ...] = ()
    """Where another replica got its lease."""


@dataclass(frozen=True, slots=True)
class LaneMarks:
    """What a lane has besides its bars, in seconds from the beginning of the window."""

    due: Sequence[float] = ()
    hand_overs: Sequence[float] = ()
    ghosts: Sequence[tuple[float, float]] = ()
    """Until when what is running takes no longer than usual."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the axis."""

    at: float
    """In percent."""
    instant: datetime
    text: str
    """The time of day; where a day begins, that day."""
    is_other: bool
    """Every second one, which a narrow window leaves out."""
    is_named: bool = True
    """It is far enough from now for its name …"""
    is_near: bool = False
    """… but not in a narrow window."""


def lane(bars: Iterable[Bar], seconds: float, marks: LaneMarks = LaneMarks()) -> DrawnLane:
    """Return the lane of a window that is so many seconds long."""
    paint, dots = _painted(bars, COLUMNS / seconds)
    stretches = next(found for width in _WIDTHS if len(found := _stretches(paint, width)) <= MOST_BARS)
    drawn: dict[str, list[str]] = {}
    for look, begin, end in stretches:
        drawn.setdefault(LOOKS[look], []).append(f"M{begin} {_TOP}h{end - begin}v{_BOTTOM - _TOP}h{begin - end}z")
    for name, columns in (*dots.items(), ("due", _columns(marks.due, seconds))):
        places = _apart(columns, _APART)
        y = _DOTS if name in _DOTTED else (_TOP + _BOTTOM) // 2
        drawn[f"{name} dot"] = drawn[f"{name} dot in"] = [f"M{place:.0f} {y}h0" for place in places]
    for ghost in marks.ghosts:
        left, right = _columns(ghost, seconds)
        drawn.setdefault("ghost", []).append(f"M{left:.0f} {_TOP + 0.5}H{right:.0f}V{_BOTTOM - 0.5}H{left:.0f}")
    failed = [(first + end) / 2 for look, first, end in stretches if LOOKS[look] == "bad"]
    return DrawnLane(
        tuple((name, "".join(parts)) for name, parts in drawn.items() if parts),
        _percentages(_apart(failed, _APART)),
        _percentages(_apart(_columns(marks.hand_overs, seconds), _APART)),
    )


def _painted(bars: Iterable[Bar], scale: float) -> tuple[bytearray, dict[str, list[float]]]:
    """Return the worst state of each column, and where something is without a duration."""
    paint, dots = bytearray([len(LOOKS)]) * COLUMNS, dict[str, list[float]]()
    for bar in sorted(bars, key=lambda bar: LOOKS.index(bar.look), reverse=True):
        if bar.look in _DOTTED:
            places = dict.fromkeys((bar.begins * scale, bar.ends * scale))
            dots.setdefault(bar.look, []).extend(place for place in places if 0 <= place < COLUMNS)
            continue
        first = min(max(0, int(bar.begins * scale)), COLUMNS - _LEAST)
        end = min(COLUMNS, max(first + _LEAST, round(bar.ends * scale)))
        paint[first:end] = bytes([LOOKS.index(bar.look)]) * (end - first)
    return paint, dots


def _stretches(paint: bytearray, width: int) -> list[tuple[int, int, int]]:
    """Return (look, first column, column after the last) of what looks alike, where so many columns are one."""
    found: list[tuple[int, int, int]] = []
    at = 0
    for rank, columns in groupby(min(paint[first : first + width]) for first in range(0, COLUMNS, width)):
        end = at + width * len(list(columns))
        if rank < len(LOOKS):
            found.append((rank, at, end))
        at = end
    return found


def _columns(moments: Iterable[float], seconds: float) -> list[float]:
    return [min(max(moment / seconds, 0.0), 1.0) * COLUMNS for moment in moments]


def _apart(columns: Iterable[float], least: float) -> list[float]:
    """Return those that are at least so far from each other, `MOST_CROSSES` at most: the first of each group."""
    found: list[float] = []
    for column in sorted(columns):
        if not found or column - found[-1] >= least:
            found.append(column)
    step = -(-len(found) // MOST_CROSSES) or 1
    return found[::step]


def _percentages(columns: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(100 * column / COLUMNS, 2) for column in columns)


def ticks(begins: datetime, ends: datetime, now: datetime, zone: tzinfo, most: int = 12) -> tuple[Tick, ...]:
    """Return the lines of an axis, at whole hours or days of a time zone."""
    seconds = (ends - begins).total_seconds()
    step = next((step for step in STEPS if seconds / step.total_seconds() <= most), STEPS[-1])
    local = begins.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found: list[Tick] = []
    for number in range(10_000):
        # By the clock on the wall: after a change of the clock, the lines are at whole hours as before.
        instant = (midnight + number * step).replace(tzinfo=zone).astimezone(begins.tzinfo)
        if instant >= ends:
            break
        if instant <= begins or (found and instant <= found[-1].instant):
            continue
        at = round(100 * (instant - begins).total_seconds() / seconds, 2)
        away = abs((instant - now).total_seconds()) / seconds
        clock = instant.astimezone(zone)
        text = f"{clock:%H:%M}" if clock.hour or clock.minute else f"{clock:%a} {clock.day}"
        found.append(Tick(at, instant, text, len(found) % 2 == 0, away > 0.04 and 2 < at < 98, away < 0.14))
    return tuple(found)
