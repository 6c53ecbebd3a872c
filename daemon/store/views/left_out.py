"""The scheduled times of schedules that did not run lately: missed, or skipped because an earlier run was not over."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select
from sqlalchemy.sql.elements import literal_column

from lease.database.dialects import later

from ..called import present_name
from ..policies import read_policies
from ..schedule_key import ScheduleKey
from ..statements.dialects import MOMENT, SCHEDULED
from ..tables import run, schedule

MISSED_WITHIN = 24 * 3600.0
"""Seconds for which a missed scheduled time is told of."""
LATEST = 30
"""So many scheduled times show whether a schedule is thinned."""


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
    one, latest = run.alias("one"), _latest()
    ours = and_(one.c.application == schedule.c.application, one.c.schedule == schedule.c.name)
    skipped = and_(ours, one.c.state == literal_column("'skipped'"))
    missed = and_(skipped, one.c.reason == "missed", one.c.finished_at > later(MOMENT, -MISSED_WITHIN))
    overlapped = and_(skipped, one.c.reason == "overlap")
    rows = connection.execute(
        select(
            schedule.c.application,
            present_name(schedule),
            schedule.c.definition,
            select(func.coalesce(func.sum(one.c.count), 0)).where(missed).correlate(schedule).scalar_subquery(),
            select(func.sum(case((latest.c.reason == "overlap", 1), else_=0))).select_from(latest).scalar_subquery(),
            select(func.count()).select_from(latest).scalar_subquery(),
        ).where(
            schedule.c.retired_at.is_(None),
            application,
            or_(exists().where(missed).correlate(schedule), exists().where(overlapped).correlate(schedule)),
        )
    )
    return {(row[0], row[1]): _left_out(*row[2:]) for row in rows}


def _left_out(definition: str, missed: int, overlapped: int | None, latest: int) -> LeftOut:
    as_asked = bool(missed) and read_policies(definition).catch_up == "skip"
    return LeftOut(int(missed), as_asked, int(overlapped or 0), int(latest) if overlapped else 0)


def _latest() -> Any:
    """Return the latest scheduled times of a schedule, by their index."""
    return (
        select(run.c.reason)
        .where(
            run.c.application == schedule.c.application, run.c.schedule == schedule.c.name, run.c.trigger == SCHEDULED
        )
        .order_by(run.c.scheduled_for.desc())
        .limit(LATEST)
        .correlate(schedule)
        .subquery("latest")
    )
