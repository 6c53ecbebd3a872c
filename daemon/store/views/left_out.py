"""The scheduled times of schedules that did not run lately: missed, or skipped because an earlier run was not over."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from lease.database.dialects import later

from ..called import ScheduleKey, present_name
from ..policies import read_policies
from ..statements.dialects import MOMENT, SCHEDULED, SKIPPED, as_json_array, of_schedule
from ..tables import run, schedule

MISSED_WITHIN = 24 * 3600.0
"""Seconds for which a missed scheduled time is reported."""
LATEST = 30
"""So many scheduled times show whether a schedule is thinned."""
_one = run.alias("one")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a schedule left out."""

    missed: int = 0
    """Scheduled times that were recorded as missed in the last 24 hours."""
    missed_as_asked: bool = False
    """`catch_up = "skip"` says so."""
    overlapped: int = 0
    """Of its latest scheduled times, so many were skipped because an earlier run was not over …"""
    latest: int = 0
    """… of so many: 30 at most, 0 if none was skipped for that."""
    median_wait: float | None = None
    """If it is thinned: how many seconds after their scheduled time its runs usually start …"""
    median_seconds: float | None = None
    """… and how long they usually take; None if none has succeeded."""

    @property
    def is_thinned(self) -> bool:
        """More than half of them did not run for it."""
        return self.overlapped > 1 and 2 * self.overlapped > self.latest


def read_left_out(connection: Connection, application: ColumnElement[bool]) -> dict[ScheduleKey, LeftOut]:
    """Return what the schedules left out that left out anything, without those that are retired."""
    skipped = and_(of_schedule(_one), _one.c.state == SKIPPED)
    missed = and_(skipped, _one.c.reason == "missed", _one.c.finished_at > later(MOMENT, -MISSED_WITHIN))
    overlapped = and_(skipped, _one.c.reason == "overlap")
    # No EXISTS: PostgreSQL would first go through all that was ever skipped for that.
    any_skipped, any_missed, any_overlapped = (
        select(literal(1)).select_from(_one).where(which).limit(1).correlate(schedule).scalar_subquery().is_not(None)
        for which in (skipped, missed, overlapped)
    )
    times = select(func.coalesce(func.sum(_one.c.count), 0)).where(missed).correlate(schedule).scalar_subquery()
    rows = connection.execute(
        select(
            schedule.c.application,
            present_name(schedule).label("called"),
            schedule.c.definition,
            times.label("missed"),
            _counts().label("counts"),
        ).where(schedule.c.retired_at.is_(None), application, any_skipped, or_(any_missed, any_overlapped))
    )
    return {(row.application, row.called): _left_out(row.definition, row.missed, row.counts) for row in rows}


def _left_out(definition: str, missed: int, counts: str) -> LeftOut:
    as_asked = bool(missed) and read_policies(definition).catch_up == "skip"
    ((overlapped, latest),) = json.loads(counts)
    return LeftOut(int(missed), as_asked, overlapped or 0, latest if overlapped else 0)


def _counts() -> Any:
    """Return how many of the latest scheduled times of a schedule were skipped for overlap, and how many there are, as
    JSON: to look them up, which is what takes long, is done once for both.
    """
    newest = select(run.c.reason).where(of_schedule(run), run.c.trigger == SCHEDULED)
    latest = newest.order_by(run.c.scheduled_for.desc()).limit(LATEST).correlate(schedule).subquery("latest")
    overlapped = func.sum(case((latest.c.reason == "overlap", 1), else_=0)).label("overlapped")
    both = select(overlapped, func.count().label("latest")).select_from(latest).subquery("both")
    return select(as_json_array(both.c.overlapped, both.c.latest)).scalar_subquery()
