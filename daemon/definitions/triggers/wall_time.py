"""From cron's wall time to instants: what a time zone's clock skips and repeats.

The time line is cut into spans in which the clock runs evenly. Between two spans it may skip wall
time or show it again; to know which, it is enough to remember the latest wall time shown so far.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from .cron import Pattern

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_LAST_YEAR = 9_900


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of time in which a zone's clock runs evenly; ``start`` and ``end`` are in UTC,
    ``end`` is not part of it.
    """

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
    day = _midnight(last) - 2 * _DAY
    shown: datetime | None = None
    while day.year < _LAST_YEAR:
        matching = pattern.next_date((day - 2 * _DAY).date())
        if matching is None:
            return
        if matching > (day + 4 * _DAY).date():
            day = datetime(matching.year, matching.month, matching.day, tzinfo=UTC) - 3 * _DAY
            shown = None
        for span in spans(day, day + _DAY, zone):
            for instant in _in_span(pattern, span, shown, last):
                if instant > last:
                    last = instant
                    yield instant
            end = span.wall(span.end)
            shown = end if shown is None else max(shown, end)
        day += _DAY


def spans(start: datetime, end: datetime, zone: tzinfo) -> Iterator[Span]:
    """Cut ``start`` to ``end`` (a day at most: no zone changes its clock and back within it)
    where the clock changes.
    """
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


def _in_span(pattern: Pattern, span: Span, shown: datetime | None, after: datetime) -> Iterator[datetime]:
    start = span.wall(span.start)
    shown = start if shown is None else shown
    if pattern.fixed:
        if next(_walls(pattern, shown, start), None) is not None:
            yield span.start
        start = max(start, shown)
    start = max(start, span.wall(after) + _TICK)
    for wall in _walls(pattern, start, span.wall(span.end)):
        yield (wall - span.offset).replace(tzinfo=UTC)


def _walls(pattern: Pattern, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the wall times that match from ``start`` on, before ``end``."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    while midnight < end:
        if pattern.matches_date(midnight.date()):
            first = bisect_left(pattern.times, (start - midnight) / timedelta(seconds=1))
            for index in range(first, len(pattern.times)):
                wall = midnight + timedelta(seconds=pattern.times[index])
                if wall >= end:
                    return
                yield wall
        midnight += _DAY


def _midnight(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0)


def _offset(instant: datetime, zone: tzinfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    return offset if offset is not None else timedelta(0)
