"""The writing of plans: their rows and the new state of their schedules, in one transaction (rule 13).

So too what a new run replaces (`overlap = "replace"`), and the places of runs on request (rule 23).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.schedule import Overlap, Schedule
from ..errors import DaemonError
from ..store import statements
from ..store.notices import Notice, notify_each
from .plan import Plan, PlannedRun, lease_name, waits_for_predecessor


class PlanningFailed(DaemonError):
    """The plan does not match the database; nothing was written."""


@dataclass(frozen=True, slots=True)
class Decision:
    schedule: Schedule
    digest: str | None
    """That of the definition which its runs are of."""
    plan: Plan
    now: datetime
    """The database's time for which it was decided."""
    since: datetime
    """Until then the schedule had been planned."""


def write_plans(connection: Connection, application: str, decisions: Sequence[Decision]) -> int:
    """Write the runs of all plans, and move their schedules on; return how many of the runs already existed."""
    rows = [row for decision in decisions for row in _new_rows(connection, application, decision)]
    overlapping = [row for row in rows if row["reason"] == "overlap"]
    replaced = [row for row in rows if row["reason"] == "replaced"]
    others = [row for row in rows if row["reason"] not in {"overlap", "replaced"}]
    made = statements.plans.add(connection, application, others) if others else 0
    if overlapping:  # with the runs that they overlap, which may have been made just now
        made += statements.plans.add(connection, application, _named(connection, application, overlapping))
    newest = _replace(connection, application, decisions)
    if replaced:  # with the run that replaces them, unless there is more to plan before that
        replaced = [row | {"overlapped": newest.get(row["schedule"])} for row in replaced]
        made += statements.plans.add(connection, application, replaced)
    for decision in decisions:
        for planned in decision.plan.runs:
            if planned.extends:
                _extend(connection, application, decision.schedule, planned)
    if apart := [named for decision in decisions if (named := _names_apart(application, decision)) is not None]:
        statements.plans.name_leases(connection, application, apart)
    if ended := {(application, decision.schedule.name) for decision in decisions if decision.plan.ends_pause}:
        statements.pauses.end(connection, ended)  # first: the tables refuse to move on from a pause that is there
    statements.plans.move_on(connection, application, [_moved_on(decision) for decision in decisions])
    return len(rows) - made


def replace_older(connection: Connection, application: str, newer: Collection[tuple[str, int]]) -> None:
    """Cancel the unfinished runs of locked schedules but for the ``newer`` ones (schedule, id): those that
    wait end at once, and those at work as soon as their work has (rule 23). Replicas hear of it with
    the commit. The newer ones are still to be promoted.
    """
    marked = statements.plans.mark_older(connection, application, newer)
    if waiting := [run_id for run_id, state in marked if state == "pending"]:
        statements.cancel.end_pending(connection, waiting)
    notify_each(connection, application, [Notice("cancel", run_id) for run_id, state in marked if state == "running"])


def _replace(connection: Connection, application: str, decisions: Sequence[Decision]) -> dict[str, int]:
    """Replace what is unfinished of schedules that ask for it by the new run of each; return these by schedule."""
    new = {
        decision.schedule.name: planned
        for decision in decisions
        if decision.schedule.overlap == "replace"
        for planned in decision.plan.runs
        if planned.state == "pending" and (planned.waits or len(decision.plan.runs) > 1)
    }  # before a pause and after it, a plan may have one each: the last replaces the others
    if not new:
        return {}
    instants = [(name, one.scheduled_for) for name, one in new.items()]
    newest = statements.plans.planned(connection, application, instants)
    waiting = {name: one.available_at for name, one in new.items() if one.waits}
    if waiting:
        replace_older(connection, application, [(name, newest[name]) for name in waiting])
        statements.plans.start_replacing(connection, [(newest[name], at) for name, at in waiting.items()])
    return newest


def _names_apart(application: str, decision: Decision) -> tuple[str, str, str | None] | None:
    """Return how the leases of its runs are named, if each has one of its own."""
    lease = lease_name(application, decision.schedule)
    if not lease.per_run or all(planned.extends for planned in decision.plan.runs):
        return None
    return decision.schedule.name, lease.base, decision.digest


def _moved_on(decision: Decision) -> dict[str, Any]:
    stretch = decision.plan.stretch
    return {
        "name": decision.schedule.name,
        "next_due": decision.plan.next_due,
        "planned_until": decision.plan.planned_until,
        "stretch_reason": stretch.reason if stretch else None,
        "stretch_count": stretch.count if stretch else None,
        "stretch_from": stretch.counted_from if stretch else None,
    }


def _new_rows(connection: Connection, application: str, decision: Decision) -> list[dict[str, Any]]:
    """Return the rows of its new runs; those that were missed say since when nothing was up that plans."""
    schedule, now = decision.schedule, decision.now
    lease = lease_name(application, schedule)
    new = [planned for planned in decision.plan.runs if not planned.extends]
    away_from = None
    if (missed := next((one.scheduled_for for one in new if one.reason == "missed"), None)) is not None:
        seen = statements.replica.last_seen(connection, application, missed)
        away_from = decision.since if seen is None else max(decision.since, seen)
    rows = []
    for planned in new:
        runs = planned.state == "pending"
        start_by = None
        if schedule.start_within is not None:
            start_by = planned.scheduled_for + timedelta(seconds=schedule.start_within)
        if not runs and (planned.reason != "missed" or start_by is None or start_by >= now):
            start_by = None
        rows.append(
            {
                "schedule": schedule.name,
                "scheduled_for": planned.scheduled_for,
                "last_scheduled_for": planned.last_scheduled_for,
                "count": planned.count,
                "state": planned.state,
                "reason": planned.reason,
                "lease_name": lease.base,
                "queue": lease.queue,
                "available_at": planned.available_at if runs and not planned.waits else None,
                "start_by": start_by,
                "finish_by": schedule.finishes_by(planned.scheduled_for) if runs else None,
                "params": json.dumps(dict(schedule.params)),
                "digest": decision.digest,
                "created_at": now,
                "finished_at": None if runs else now,
                "away_from": away_from if planned.reason == "missed" else None,
                "overlapped": None,
                "overlapped_by": None,
            }
        )
    return rows


def _named(connection: Connection, application: str, overlapping: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the runs that were not over, and who had them."""
    names = {row["schedule"] for row in overlapping}
    found = statements.plans.unfinished_of_each(connection, application, names)
    return [
        row | dict(zip(("overlapped", "overlapped_by"), found.get(row["schedule"], (None, None)), strict=True))
        for row in overlapping
    ]


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
            f'schedule "{schedule.name}": expected one row that counts its skipped times since '
            f"{planned.scheduled_for}, but found {changed}"
        )


# The places of runs that were requested for a moment, or by a backfill: behind the unfinished runs of their schedules

MOST_PLACED = 1_000
"""The most runs that one transaction places."""


@dataclass(frozen=True, slots=True)
class PlaceReport:
    """What became of runs whose moment had come."""

    placed: int = 0
    more: bool = False
    """There are more to place at once."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The schedules of which none was placed, and why."""


def place_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None = None
) -> PlaceReport:
    """Place the runs of known schedules whose moment has come; those of locked schedules stay for later.

    With ``others``, the known ones are all that the application has but for these.
    """
    passed_over: set[str] = set()
    unreadable: dict[str, str] = {}
    while True:
        which = {"names": known.keys() - passed_over} if others is None else {"but": passed_over.union(others)}
        due = statements.requests.due(connection, application, MOST_PLACED, **which)
        found = {row.schedule for row in due}
        overlaps, refused = _lock(connection, application, known, found)
        unreadable |= refused
        if overlaps or len(due) < MOST_PLACED:
            break
        passed_over |= found  # many of schedules that are locked or unreadable hide nobody behind them
    runs = [(row.id, row.schedule) for row in due if row.schedule in overlaps]
    placed = place(connection, application, runs, overlaps) if runs else 0
    return PlaceReport(placed, len(due) == MOST_PLACED and placed > 0, unreadable)


def feed_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None = None
) -> PlaceReport:
    """Place the next runs of backfills of known schedules whose turn it is: of each schedule at most those of one
    backfill, and none while another run of the schedule is not over; those of locked schedules stay for later.

    With ``others``, the known ones are all that the application has but for these.
    """
    which = {"names": list(known)} if others is None else {"but": others}
    found = {row.schedule for row in statements.requests.to_feed(connection, application, **which)}
    overlaps, unreadable = _lock(connection, application, known, found)
    first: dict[str, Row[Any]] = {}
    again = statements.requests.to_feed(connection, application, names=overlaps) if overlaps else ()
    for row in again:  # now that they are locked
        first.setdefault(row.schedule, row)
    runs = [
        (run_id, name)
        for name, row in first.items()
        for run_id in statements.requests.next_runs(connection, row.id, row.may_start)
    ]
    placed = place(connection, application, runs, overlaps) if runs else 0
    if first:
        statements.requests.close(connection, [row.id for row in first.values()])
    return PlaceReport(placed, unreadable=unreadable)


def _lock(
    connection: Connection, application: str, known: Mapping[str, Schedule], names: Collection[str]
) -> tuple[dict[str, Overlap], dict[str, str]]:
    """Lock those of these schedules that are known and free, and return the policy of each, or why it cannot be read."""
    keys = {(application, name) for name in names if name in known}
    free = [name for _, name in statements.schedule.lock_free(connection, keys)] if keys else []
    rows = statements.schedule.of_application(connection, application, lock=False, names=free) if free else []
    overlaps: dict[str, Overlap] = {}
    unreadable: dict[str, str] = {}
    for row in rows:
        try:
            overlaps[row.name] = defined(row, known[row.name]).overlap
        except UnreadableDefinition as error:
            unreadable[row.name] = str(error)
    return overlaps, unreadable


def place(
    connection: Connection, application: str, runs: Collection[tuple[int, str]], overlaps: Mapping[str, Overlap]
) -> int:
    """Give runs (id, schedule) their places, the first one first, and start those that are in front; return
    how many had none yet. The schedules must be locked; ``overlaps`` has the policy of each: whether its
    runs wait for each other, and whether the last one replaces all others.
    """
    waits = {name: waits_for_predecessor(overlap) for name, overlap in overlaps.items()}
    placed = statements.requests.place(connection, [(run_id, waits[name]) for run_id, name in runs])
    newest = {name: run_id for run_id, name in runs if run_id in placed and overlaps[name] == "replace"}
    if newest:
        replace_older(connection, application, newest.items())
    behind = {(application, name) for _, name in runs if waits[name]}
    statements.ends.promote(connection, behind)
    return len(placed)


def defined(row: Row[Any], known: Schedule) -> Schedule:
    """Return the definition in the database; ``known`` is that of the replica."""
    return known if row.digest == known.digest() else read_schedule(row.definition)
