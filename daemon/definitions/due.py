"""The due instants of a piece of time, cut where `exclude` begins and ends; of very many, the older are counted.

And the next instants of a schedule, with what the clock of its time zone does to them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, islice, takewhile
from zoneinfo import ZoneInfo

from .schedule import Schedule
from .triggers.trigger import Cron, Trigger
from .triggers.wall_time import Tally
from .values.calendars import Calendar, covering


@dataclass(frozen=True, slots=True)
class DuePiece:
    """Instants that follow each other, all on excluded days or none: ``older`` ones that are only counted, and then
    ``instants``.
    """

    excluded: bool
    older: Tally | None
    instants: list[datetime]


def due_pieces(
    schedule: Schedule, after: datetime, until: datetime, anchor: datetime, *, newest: int, newest_excluded: int
) -> list[DuePiece]:
    """Return what is due after ``after``, up to ``until``. If there is much, only the ``newest`` instants
    on days that are not excluded are enumerated, and of each piece among them that is excluded the
    ``newest_excluded``: to enumerate a year takes too long.
    """
    few = list(islice(_instants(schedule, after, until, anchor), newest + 1))
    if len(few) <= newest:
        cut = groupby(few, key=lambda instant: schedule.excluded_by(instant) is not None)
        return [DuePiece(excluded, None, list(instants)) for excluded, instants in cut]
    pieces: list[DuePiece] = []
    for part in reversed(list(schedule.parts(after, until))):
        least = newest if newest == 0 or not part.excluded else newest_excluded
        older = schedule.older(part.after, part.until, least, anchor)
        begin = part.after if older is None else older.last
        instants = list(_instants(schedule, begin, part.until, anchor)) if least > 0 else []
        pieces.append(DuePiece(part.excluded, older, instants))
        if not part.excluded:
            newest = max(0, newest - len(instants))
    return pieces[::-1]


def _instants(schedule: Schedule, after: datetime, until: datetime, anchor: datetime) -> Iterator[datetime]:
    return takewhile(lambda instant: instant <= until, schedule.instants(after, anchor))


@dataclass(frozen=True, slots=True)
class Preview:
    """One instant, in UTC and by the clock of the schedule's time zone, with a remark where that
    clock changes, and the day or calendar that keeps it from running.
    """

    instant: datetime
    local: datetime
    note: str | None = None
    excluded: str | None = None


def preview(
    trigger: Trigger, timezone: str, after: datetime, count: int, exclude: Sequence[Calendar] = ()
) -> tuple[Preview, ...]:
    """Return the next instants of a trigger; an interval counts from ``after``, to the second."""
    zone = ZoneInfo(timezone)
    instants = trigger.instants(after, timezone=zone, anchor=after.replace(microsecond=0))
    return tuple(_preview(trigger, instant, zone, exclude) for instant in islice(instants, count))


def preview_schedule(
    schedule: Schedule, after: datetime, count: int, anchor: datetime | None = None
) -> tuple[Preview, ...]:
    """Return the next instants of a schedule, those that are excluded too; an interval counts from
    ``anchor``, by default from ``after``.
    """
    zone, trigger = ZoneInfo(schedule.timezone), schedule.trigger
    instants = schedule.instants(after, after if anchor is None else anchor)
    return tuple(_preview(trigger, instant, zone, schedule.exclude) for instant in islice(instants, count))


def _preview(trigger: Trigger, instant: datetime, zone: ZoneInfo, exclude: Sequence[Calendar]) -> Preview:
    local, note = instant.astimezone(zone), None
    if isinstance(trigger, Cron) and not trigger.pattern.matches(local):
        note = "skipped by the clock, runs right after the gap"
    elif local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        note = "repeated hour, second time" if local.fold else "repeated hour, first time"
    return Preview(instant, local, note, covering(exclude, instant, zone))
