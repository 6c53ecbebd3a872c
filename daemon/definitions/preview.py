"""The next instants of a schedule, and what the clock of its time zone does to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from .schedule import Schedule
from .triggers.calendar import Calendar, covering
from .triggers.trigger import Cron, Trigger

IN_GAP = "skipped by the clock, runs right after the gap"
FIRST_TIME = "repeated hour, first time"
SECOND_TIME = "repeated hour, second time"


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
    local = instant.astimezone(zone)
    return Preview(instant, local, _note(trigger, local), covering(exclude, instant, zone))


def _note(trigger: Trigger, local: datetime) -> str | None:
    if isinstance(trigger, Cron) and not trigger.pattern.matches(local):
        return IN_GAP
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return None
    return SECOND_TIME if local.fold else FIRST_TIME
