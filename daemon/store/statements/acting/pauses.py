"""The pauses of schedules: of one, of all with a tag, or of an application (rule 23)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, null, select, update

from ...tables import ScheduleKey, run, schedule
from ..dialects import SCHEDULED, are, if_given, same_schedule

COLUMNS = ("paused_at", "paused_by", "paused_why", "paused_until")


def keys(connection: Connection, application: str | None) -> set[tuple[str, str]]:
    """Return the schedules of an application, or of all, that are not retired."""
    which = (schedule.c.retired_at.is_(None), *if_given(schedule.c.application, application))
    rows = connection.execute(select(schedule.c.application, schedule.c.name).where(*which))
    return {(of, name) for of, name in rows}


def lock(connection: Connection, keys: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Lock schedules, waiting for them if necessary, in the one order of all transactions, and return them."""
    query = select(schedule).where(are(keys)).order_by(schedule.c.application, schedule.c.name)
    return list(connection.execute(query.with_for_update(key_share=True)))


def begin(
    connection: Connection,
    keys: Collection[ScheduleKey],
    *,
    at: datetime,
    by: str,
    why: str | None,
    until: datetime | None,
) -> None:
    """Mark schedules as paused from a moment on. What did not run before counts as a stretch of its own."""
    values = {"paused_at": at, "paused_by": by, "paused_why": why, "paused_until": until}
    nothing = {name: null() for name in ("stretch_reason", "stretch_count", "stretch_from")}
    connection.execute(update(schedule).where(are(keys)).values(**values, **nothing))


def change(
    connection: Connection, keys: Collection[ScheduleKey], *, by: str, why: str | None, until: datetime | None
) -> None:
    """Set who has schedules paused, why, or until when, as far as it is given; since when stays."""
    given = {name: value for name, value in (("paused_why", why), ("paused_until", until)) if value is not None}
    connection.execute(update(schedule).where(are(keys)).values(paused_by=by, **given))


def end(connection: Connection, keys: Collection[ScheduleKey]) -> None:
    """Mark schedules as not paused."""
    connection.execute(update(schedule).where(are(keys)).values({name: null() for name in COLUMNS}))


def passed(connection: Connection, keys: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many instants of these schedules were skipped since they were paused."""
    ours = (same_schedule(run), run.c.trigger == SCHEDULED)
    query = (
        select(schedule.c.application, schedule.c.name, func.sum(run.c.count))
        .where(are(keys), *ours, run.c.scheduled_for > schedule.c.paused_at, run.c.reason == "paused")
        .group_by(schedule.c.application, schedule.c.name)
    )
    return {(application, name): int(count) for application, name, count in connection.execute(query)}
