"""The writing of a plan: its rows and the schedule's new state, in one transaction (rule 13)."""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from ..definitions.schedule import Schedule
from ..errors import DaemonError
from ..store import statements
from .lease_names import lease_name
from .plan import Plan, PlannedRun


class PlanningFailed(DaemonError):
    """The plan does not match the database; nothing was written."""


def write_plan(  # noqa: PLR0917 - what is written of what, and when
    connection: Connection,
    application: str,
    schedule: Schedule,
    digest: str | None,
    decided: Plan,
    now: datetime,
    since: datetime,
) -> int:
    """Write the runs, each of the definition with this digest, and move the schedule on, which was planned
    until ``since``; return how many of the runs already existed.
    """
    new = [planned for planned in decided.runs if not planned.extends]
    whys = _away(connection, application, new, since)
    rows = [{**_row(application, schedule, planned, now), "digest": digest} for planned in new]
    made = _add(connection, application, schedule.name, rows, whys)
    for planned in decided.runs:
        if planned.extends:
            _extend(connection, application, schedule, planned)
    lease = lease_name(application, schedule)
    if lease.per_run and made:
        statements.run.name_leases(connection, application, schedule.name, lease.base, per_run=True, digest=digest)
    stretch = decided.stretch
    moved_on = {
        "next_due": decided.next_due,
        "planned_until": decided.planned_until,
        "stretch_reason": stretch.reason if stretch else None,
        "stretch_count": stretch.count if stretch else None,
        "stretch_from": stretch.counted_from if stretch else None,
    }
    statements.schedule.change(connection, application, schedule.name, moved_on)
    return len(rows) - made


def _away(connection: Connection, application: str, new: list[PlannedRun], since: datetime) -> dict[str, Any]:
    """Return since when nothing was up that plans, if instants were missed."""
    missed = next((planned.scheduled_for for planned in new if planned.reason == "missed"), None)
    if missed is None:
        return {}
    seen = statements.replica.last_seen(connection, application, missed)
    return {"away_from": since if seen is None else max(since, seen)}


def _add(connection: Connection, application: str, name: str, rows: list[dict[str, Any]], away: dict[str, Any]) -> int:
    """Insert the rows; those of instants that overlap a run come last, and name it."""
    nothing = {"away_from": None, "overlapped": None, "overlapped_by": None}
    overlapping = [row for row in rows if row["reason"] == "overlap"]
    others = [row | nothing | (away if row["reason"] == "missed" else {}) for row in rows if row["reason"] != "overlap"]
    made = statements.run.add(connection, others) if others else 0
    if overlapping:
        overlapped, by = statements.run.unfinished_of(connection, application, name) or (None, None)
        named = {**nothing, "overlapped": overlapped, "overlapped_by": by}
        made += statements.run.add(connection, [row | named for row in overlapping])
    return made


def _extend(connection: Connection, application: str, schedule: Schedule, planned: PlannedRun) -> None:
    changed = statements.run.extend(
        connection,
        application,
        schedule.name,
        scheduled_for=planned.scheduled_for,
        last=planned.last_scheduled_for or planned.scheduled_for,
        count=planned.count,
    )
    if changed != 1:
        raise PlanningFailed(
            f'schedule "{schedule.name}": expected one row that counts its skipped instants since '
            f"{planned.scheduled_for}, but found {changed}"
        )


def _row(application: str, schedule: Schedule, planned: PlannedRun, now: datetime) -> dict[str, Any]:
    runs = planned.state == "pending"
    start_by = None
    if schedule.start_within is not None:
        start_by = planned.scheduled_for + timedelta(seconds=schedule.start_within)
    if not runs and (planned.reason != "missed" or start_by is None or start_by >= now):
        start_by = None
    return {
        "application": application,
        "schedule": schedule.name,
        "scheduled_for": planned.scheduled_for,
        "last_scheduled_for": planned.last_scheduled_for,
        "count": planned.count,
        "trigger": "schedule",
        "state": planned.state,
        "reason": planned.reason,
        "lease_name": lease_name(application, schedule).base,
        "available_at": planned.available_at if runs and not planned.waits else None,
        "start_by": start_by,
        "params": json.dumps(dict(schedule.params)),
        "created_at": now,
        "finished_at": None if runs else now,
    }
