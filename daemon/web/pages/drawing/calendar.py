"""The calendar of a schedule: what happened on the past days of this week, and when it is due on the coming ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

from ....definitions.schedule import Preview, Schedule, due_pieces, preview_schedule
from ....store.views.lately import Happened
from ....text import listed

DAYS = 14
MOST_SHOWN = 4
"""So many scheduled times of a day are shown; of more, their number."""
_DAY = timedelta(days=1)
_MOST_OF_A_DAY = timedelta(hours=22)
_NBSP = "\N{NO-BREAK SPACE}"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DueTime:
    """A scheduled time that is to come."""

    instant: datetime
    note: str | None
    """What the clock of the schedule's time zone does to it."""


@dataclass(frozen=True, slots=True)
class DayComing:
    """What is to come of a day."""

    due: tuple[DueTime, ...] = ()
    more: int = 0
    """So many scheduled times, if they are too many to show."""
    first: datetime | None = None
    last: datetime | None = None
    """The first and the last of those, if they are not spread over the whole day."""
    excluded: str | None = None
    """The days or calendars because of which it does not run, at least at some of its times."""
    left_out: int = 0
    """So many of its times are excluded."""
    is_paused: bool = False
    """Some will be skipped, unless somebody resumes the schedule before."""

    @property
    def runs(self) -> bool:
        """Whether it is to run at all."""
        return bool(self.due or self.more)


@dataclass(frozen=True, slots=True)
class DayPast:
    """What the scheduled times of a day came to."""

    runs: tuple[Happened, ...] = ()
    """Each, if they are few …"""
    counts: tuple[tuple[str, int], ...] = ()
    """… otherwise how many came to what, by state or ``missed``."""
    is_partial: bool = False
    """Not all of them were looked at."""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A day by the clock of the zone in which the calendar is shown."""

    date: date
    label: str
    """``Mon 19``, with the month on the first one of it."""
    when: Literal["past", "today", "coming"]
    clock: str | None
    """What the clock of the schedule's time zone does on that day."""
    past: DayPast
    coming: DayComing

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.past == DayPast() and self.coming == DayComing()


@dataclass(frozen=True, slots=True)
class PauseEnd:
    """A pause that is in force."""

    until: datetime | None


def week_start(now: datetime, zone: tzinfo) -> datetime:
    """Return when the Monday of this week began."""
    today = now.astimezone(zone)
    monday = today.date() - timedelta(days=today.weekday())
    return _midnight(monday, zone)


def calendar(
    schedule: Schedule,
    anchor: datetime,
    zone: tzinfo,
    now: datetime,
    happened: Sequence[Happened],
    *,
    is_cut: bool = False,
    pause: PauseEnd | None = None,
) -> tuple[CalendarDay, ...]:
    """Return two weeks from this Monday. ``happened`` is what is known of this week, the latest first; ``is_cut``: there
    is more that is older.
    """
    monday, today = week_start(now, zone).astimezone(zone).date(), now.astimezone(zone).date()
    known_since = min((one.scheduled_for for one in happened), default=now) if is_cut else None
    days = []
    for number in range(DAYS):
        day = monday + number * _DAY
        begin, end = _midnight(day, zone), _midnight(day + _DAY, zone)
        label = f"{day:%a} {day.day}" + (f" {day:%b}" if day.day == 1 else "")
        is_partial = known_since is not None and day <= today and begin < known_since
        past, coming = DayPast(is_partial=is_partial), DayComing()
        if day <= today:
            past = _past([one for one in happened if begin <= one.scheduled_for < end], is_partial=is_partial)
        if day >= today:
            coming = _coming(schedule, anchor, max(begin - _TICK, now), end - _TICK, pause)
        when: Literal["past", "today", "coming"] = "past" if day < today else "today" if day == today else "coming"
        days.append(CalendarDay(day, label, when, clock_change(begin, end, ZoneInfo(schedule.timezone)), past, coming))
    return tuple(days)


def clock_change(begin: datetime, end: datetime, zone: tzinfo) -> str | None:
    """Return what the clock of a zone does between two moments: ``the clock goes back 1 h``."""
    before, after = (moment.astimezone(zone).utcoffset() or timedelta() for moment in (begin, end))
    if before == after:
        return None
    minutes = abs((after - before).total_seconds()) / 60
    how_far = f"{minutes / 60:g}{_NBSP}h" if minutes % 30 == 0 else f"{minutes:g}{_NBSP}min"
    return f"the clock goes {'forward' if after > before else 'back'} {how_far}"


def _past(ours: Sequence[Happened], *, is_partial: bool) -> DayPast:
    if len(ours) <= MOST_SHOWN and all(one.count == 1 for one in ours):
        return DayPast(tuple(reversed(ours)), is_partial=is_partial)
    counts: dict[str, int] = {}
    for one in ours:
        state = "missed" if one.reason == "missed" else one.state
        counts[state] = counts.get(state, 0) + one.count
    return DayPast((), tuple(counts.items()), is_partial)


def _coming(
    schedule: Schedule, anchor: datetime, after: datetime, until: datetime, pause: PauseEnd | None
) -> DayComing:
    if after >= until:
        return DayComing()
    few = list(_until(until, preview_schedule(schedule, after, MOST_SHOWN + 1, anchor)))
    if len(few) > MOST_SHOWN:
        return _counted(schedule, anchor, after, until, pause)
    due = tuple(DueTime(one.instant, one.note) for one in few if one.excluded is None)
    excluded = list(dict.fromkeys(one.excluded for one in few if one.excluded is not None))
    is_paused = bool(due) and _is_within(due[0].instant, pause)
    named = listed(excluded) if excluded else None
    return DayComing(due, excluded=named, left_out=len(few) - len(due), is_paused=is_paused)


def _counted(
    schedule: Schedule, anchor: datetime, after: datetime, until: datetime, pause: PauseEnd | None
) -> DayComing:
    """Return how many times there are, without going through them."""
    more = left_out = 0
    excluded: dict[str, None] = {}
    edges: list[datetime] = []
    for piece in due_pieces(schedule, after, until, anchor, newest=1, newest_excluded=1):
        count = len(piece.instants) + (piece.older.count if piece.older else 0)
        if piece.excluded:
            left_out += count
            excluded |= {schedule.excluded_by(one) or "excluded": None for one in piece.instants[-1:]}
        else:
            more += count
            edges += [*([piece.older.first, piece.older.last] if piece.older else ()), *piece.instants]
    if not edges:
        return DayComing(excluded=listed(list(excluded)), left_out=left_out)
    first, last = min(edges), max(edges)
    found = DayComing(
        (), more, None, None, listed(list(excluded)) if excluded else None, left_out, _is_within(first, pause)
    )
    return replace(found, first=first, last=last) if last - first < _MOST_OF_A_DAY else found


def _is_within(instant: datetime, pause: PauseEnd | None) -> bool:
    return pause is not None and (pause.until is None or instant < pause.until)


def _until(until: datetime, found: Iterable[Preview]) -> Iterable[Preview]:
    return (one for one in found if one.instant <= until)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def next_due(schedule: Schedule, after: datetime, anchor: datetime, count: int) -> tuple[DueTime, ...]:
    """Return the next scheduled times that are not excluded, if any is near."""
    found = (one for one in preview_schedule(schedule, after, 10 * count, anchor) if one.excluded is None)
    return tuple(DueTime(one.instant, one.note) for one in islice(found, count))
