"""From cron's wall time to instants: what a time zone's clock skips and repeats.

The time line is cut into spans in which the clock runs evenly. Between two spans it may skip wall
time or show it again; to know which, it is enough to remember the latest wall time shown so far.
Deadlines that are times of day are found in the same way.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from . import cron
from .cron import LENGTHS, Pattern, parse


@dataclass(frozen=True, slots=True)
class Tally:
    """``count`` instants, of which these are the first and the last."""

    first: datetime
    last: datetime
    count: int

    def and_then(self, later: "Tally") -> "Tally":
        """Return the tally of these and of later instants."""
        return replace(self, last=later.last, count=self.count + later.count)


def but_newest(tallies: Iterable[Tally], least: int) -> Tally | None:
    """Return the sum of ``tallies`` but for the last ones, which leave out at least ``least`` instants."""
    older: Tally | None = None
    newest: deque[Tally] = deque()
    left_out = 0
    for tally in tallies:
        newest.append(tally)
        left_out += tally.count
        while newest and left_out - newest[0].count >= least:
            oldest = newest.popleft()
            left_out -= oldest.count
            older = oldest if older is None else older.and_then(oldest)
    return older


_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_LAST_YEAR = 9_900


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of time in which a zone's clock runs evenly, from ``start`` to before ``end``, both in UTC."""

    start: datetime
    end: datetime
    offset: timedelta

    def wall(self, instant: datetime) -> datetime:
        return instant.replace(tzinfo=None) + self.offset


def matches_of(pattern: Pattern, after: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield in UTC, in order, the instants after ``after`` at which ``pattern`` is due.

    A fixed time is due once: right after the gap if the clock skips it, the first time if the clock
    repeats it. All else goes on with elapsed time.
    """
    last = after.astimezone(UTC)
    for span, shown in _spans_after(pattern, last, zone):
        for instant in _in_span(pattern, span, shown, last):
            if instant > last:
                last = instant
                yield instant


def tallies_of(pattern: Pattern, after: datetime, until: datetime, zone: tzinfo) -> Iterator[Tally]:
    """Yield by at most a day each how many of `matches_of` there are up to ``until``, in order, enumerating none."""
    after, until = after.astimezone(UTC), until.astimezone(UTC)
    for span, shown in _spans_after(pattern, after, zone):
        if span.start > until:
            return
        found = _tally(pattern, span, shown, after, until)
        if found is not None:
            after = found.last
            yield found


def _spans_after(pattern: Pattern, after: datetime, zone: tzinfo) -> Iterator[tuple[Span, datetime]]:
    """Yield the spans in which the pattern may be due, and the latest wall time shown before each."""
    day = _midnight(after) - 2 * _DAY
    shown: datetime | None = None
    while day.year < _LAST_YEAR:
        matching = pattern.next_date((day - 2 * _DAY).date())
        if matching is None:
            return
        if matching > (day + 4 * _DAY).date():
            day = datetime(matching.year, matching.month, matching.day, tzinfo=UTC) - 3 * _DAY
            shown = None
        for span in spans(day, day + _DAY, zone):
            start, end = span.wall(span.start), span.wall(span.end)
            yield span, start if shown is None else shown
            shown = end if shown is None else max(shown, end)
        day += _DAY


def spans(start: datetime, end: datetime, zone: tzinfo) -> Iterator[Span]:
    """Cut ``start`` to ``end`` (a day at most: no zone changes its clock and back in it) where the clock changes."""
    offset, last = _offset(start, zone), _offset(end, zone)
    while offset != last:
        before, change = start, end
        while change - before > timedelta(seconds=1):
            middle = before + timedelta(seconds=(change - before) // timedelta(seconds=2))
            if _offset(middle, zone) == offset:
                before = middle
            else:
                change = middle
        yield Span(start, change, offset)
        start, offset = change, _offset(change, zone)
    if start < end:
        yield Span(start, end, offset)


def _in_span(pattern: Pattern, span: Span, shown: datetime, after: datetime) -> Iterator[datetime]:
    start = span.wall(span.start)
    if pattern.fixed:
        if next(_walls(pattern, shown, start), None) is not None:
            yield span.start
        start = max(start, shown)
    start = max(start, span.wall(after) + _TICK)
    for wall in _walls(pattern, start, span.wall(span.end)):
        yield (wall - span.offset).replace(tzinfo=UTC)


def _walls(pattern: Pattern, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the wall times that match from ``start`` on, before ``end``."""
    for midnight in _midnights(pattern, start, end):
        first = bisect_left(pattern.times, (start - midnight) / timedelta(seconds=1))
        for index in range(first, len(pattern.times)):
            wall = midnight + timedelta(seconds=pattern.times[index])
            if wall >= end:
                return
            yield wall


def _midnights(pattern: Pattern, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the beginning of each day from ``start`` to ``end`` that matches."""
    midnight = _midnight(start)
    while midnight < end:
        if pattern.matches_date(midnight.date()):
            yield midnight
        midnight += _DAY


def _tally(pattern: Pattern, span: Span, shown: datetime, after: datetime, until: datetime) -> Tally | None:
    """Count what `_in_span` yields after ``after`` and up to ``until``."""
    start, end = span.wall(span.start), min(span.wall(span.end), span.wall(until) + _TICK)
    skipped = pattern.fixed and span.start > after and next(_walls(pattern, shown, start), None) is not None
    start = max(start, span.wall(after) + _TICK, shown if pattern.fixed else start)
    days = [found for midnight in _midnights(pattern, start, end) if (found := _of_day(pattern, midnight, start, end))]
    if not days:
        return Tally(span.start, span.start, 1) if skipped else None
    first, last = ((wall - span.offset).replace(tzinfo=UTC) for wall in (days[0].first, days[-1].last))
    count = sum(day.count for day in days)
    return Tally(span.start, last, count + (first != span.start)) if skipped else Tally(first, last, count)


def _of_day(pattern: Pattern, midnight: datetime, start: datetime, end: datetime) -> Tally | None:
    """Count the wall times of a day that match from ``start`` on, before ``end``."""
    low, high = (bisect_left(pattern.times, (wall - midnight) / timedelta(seconds=1)) for wall in (start, end))
    if low >= high:
        return None
    first, last = (midnight + timedelta(seconds=pattern.times[index]) for index in (low, high - 1))
    return Tally(first, last, high - low)


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def is_time_of_day(text: str) -> bool:
    """Return whether ``text`` is a time of day, ``06:00`` or ``23:59:59``."""
    return _TIME_OF_DAY.fullmatch(text) is not None


def deadline(finish_by: float | str, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """Return by when, in UTC, what is due at ``instant`` should have succeeded: seconds after it, or at the
    first such time of day after it; one that the clock skips is right after the gap, of one that it
    repeats the first counts. None: beyond the end of the calendar.
    """
    if not isinstance(finish_by, str):
        try:
            return instant + timedelta(seconds=finish_by)
        except OverflowError:
            return None
    match = _TIME_OF_DAY.fullmatch(finish_by)
    assert match is not None  # noqa: S101 - it was checked as it was read
    hour, minute, second = (int(part or 0) for part in match.groups())
    return next(matches_of(cron.parse(f"{second} {minute} {hour} * * *"), instant, zone), None)


def stored_deadline(finish_by: Any, instant: datetime, timezone: Any) -> datetime | None:
    """Return the deadline for a stored schedule; None also if this version cannot read it."""
    if isinstance(finish_by, str) and not is_time_of_day(finish_by):
        return None
    try:
        return deadline(finish_by, instant, ZoneInfo(timezone))
    except (TypeError, ValueError, KeyError):  # a zone that this machine does not have is a KeyError
        return None


_IN_EVERY_MONTH = 28


def surprises(expression: str) -> Iterator[str]:
    """Yield a sentence for each part of an expression that may surprise."""
    pattern = parse(expression)
    if not pattern.both_days:
        yield (
            "day of month and day of week are both set, so it is due when either matches; for one weekday of the "
            "month write mon#1 (the first Monday) or friL (the last Friday)"
        )
        return
    first = min(pattern.days.days, default=0)
    shorter = any(LENGTHS[month - 1][0] < first for month in pattern.months)
    if first > _IN_EVERY_MONTH and shorter and len(pattern.months) > 1 and not pattern.days.last:
        yield f"months without a day {first} are skipped; for the last day of every month write L"
