"""The next instants of a schedule, and what the clock of its time zone does to them."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

from .schedule import Schedule
from .triggers.trigger import Cron, Trigger

IN_GAP = "skipped by the clock, runs right after the gap"
FIRST_TIME = "repeated hour, first time"
SECOND_TIME = "repeated hour, second time"


@dataclass(frozen=True, slots=True)
class Preview:
    """One instant, in UTC and by the clock of the schedule's time zone, with a remark where that
    clock changes.
    """

    instant: datetime
    local: datetime
    note: str | None = None


def preview(trigger: Trigger, timezone: str, after: datetime, count: int) -> tuple[Preview, ...]:
    """Return the next instants of a trigger; an interval counts from ``after``, to the second."""
    zone = ZoneInfo(timezone)
    instants = trigger.instants(after, timezone=zone, anchor=after.replace(microsecond=0))
    return tuple(_preview(trigger, instant, zone) for instant in islice(instants, count))


def preview_schedule(
    schedule: Schedule, after: datetime, count: int, anchor: datetime | None = None
) -> tuple[Preview, ...]:
    """Return the next instants of a schedule; an interval counts from ``anchor``, by default
    from ``after``.
    """
    zone, trigger = ZoneInfo(schedule.timezone), schedule.trigger
    instants = schedule.instants(after, after if anchor is None else anchor)
    return tuple(_preview(trigger, instant, zone) for instant in islice(instants, count))


def _preview(trigger: Trigger, instant: datetime, zone: ZoneInfo) -> Preview:
    local = instant.astimezone(zone)
    if isinstance(trigger, Cron) and not trigger.pattern.matches(local):
        return Preview(instant, local, IN_GAP)
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return Preview(instant, local)
    return Preview(instant, local, SECOND_TIME if local.fold else FIRST_TIME)
