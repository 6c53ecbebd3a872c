"""From due instants to runs: one row each, made in the transaction that moves the schedule on (rule 13)."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from sqlalchemy import Connection, Row

from . import statements
from .definitions import Schedule
from .errors import DaemonError
from .ledger import LONGEST_STRETCH, Stretch
from .naming import lease_name
from .plan_writing import write_plan
from .planning import Plan, PlanState, plan
from .stored import UnreadableDefinition, read_schedule

MOST_SCHEDULES = 50
"""How many schedules one transaction plans."""
MOST_ROWS = 1_000
"""After so many rows a transaction takes no further schedule; each makes 1,000 at most (rule 13)."""


class NoSuchSchedule(DaemonError):
    """There is no schedule of this name that could be triggered."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of the instants that were due."""

    instants: Mapping[str, int] = field(default_factory=dict)
    """How many, by state: ``pending``, or why they do not run (``missed``, ``overlap``, ``paused``)."""
    more: bool = False
    """There is more to plan at once."""
    doubled: int = 0
    """Instants that had a run already. Always 0: anything else is a fault to be reported."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Schedules that were left alone, and why."""


def plan_due(
    connection: Connection,
    application: str,
    known: Mapping[str, Schedule],
    *,
    trusts: Callable[[datetime], bool] | None = None,
) -> Planned:
    """Give each instant that is due a run, for known schedules that no other replica is at; call it again while ``more``.

    The definition in the database decides, so that replicas with an older file plan the same. Runs that were to start by
    now (`start_within`) and did not are recorded as missed. ``trusts`` tells whether the database's time may be planned by; if
    not, nothing is.
    """
    if trusts is not None and not trusts(statements.schedule.database_time(connection)):
        return Planned()
    instants: Counter[str] = Counter(missed=_give_up_late(connection, application, known))
    rows = statements.schedule.due(connection, application, list(known), MOST_SCHEDULES)
    busy = statements.schedule.still_running(connection, application, [row.name for row in rows]) if rows else set()
    unreadable: dict[str, str] = {}
    made = doubled = planned = 0
    more = len(rows) == MOST_SCHEDULES
    for row in rows:
        if made >= MOST_ROWS:
            more = True
            break
        try:
            schedule = _defined(row, known[row.name])
        except UnreadableDefinition as error:
            unreadable[row.name] = str(error)
            continue
        state = _state(row, unfinished=row.name in busy)
        plans = plan(application, schedule, state, row.now)
        doubled += write_plan(connection, application, schedule, plans, row.now)
        instants.update(_counted(plans, state))
        made += len(plans.runs)
        planned += 1
        more = more or plans.more
    return Planned(+instants, more and planned > 0, doubled, unreadable)


def trigger(
    connection: Connection,
    application: str,
    name: str,
    *,
    requested_by: str,
    why: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> int:
    """Make a run that a person asked for, and return its id. Behind an unfinished run it waits; it is never dropped.

    Raises `NoSuchSchedule`.
    """
    row = statements.schedule.lock(connection, application, name)
    if row is None or row.retired_at is not None:
        raise _no_such_schedule(connection, application, name, retired=row is not None)
    schedule = read_schedule(row.definition)
    waits = schedule.overlap != "allow" and bool(statements.schedule.still_running(connection, application, [name]))
    now = statements.schedule.database_time(connection)
    lease = lease_name(application, schedule)
    run_id = statements.run.add_manual(
        connection,
        {
            "application": application,
            "schedule": name,
            "scheduled_for": now,
            "trigger": "manual",
            "state": "pending",
            "lease_name": lease.base,
            "available_at": None if waits else now,
            "params": json.dumps({**schedule.params, **(params or {})}),
            "requested_by": requested_by,
            "requested_why": why,
            "created_at": now,
        },
    )
    if lease.per_run:
        statements.run.name_leases(connection, application, name, lease.base, per_run=True)
    return run_id


def _give_up_late(connection: Connection, application: str, known: Mapping[str, Schedule]) -> int:
    late = statements.run.late(connection, application, list(known))
    if not late:
        return 0
    locked = statements.schedule.lock_free(connection, {(application, name) for _, name in late})
    ids = [run_id for run_id, name in late if (application, name) in locked]
    if not ids:
        return 0
    for name in sorted(statements.run.miss(connection, ids)):
        statements.run.promote(connection, application, name)
    return len(ids)


def _defined(row: Row[Any], known: Schedule) -> Schedule:
    return known if row.digest == known.digest() else read_schedule(row.definition)


def _state(row: Row[Any], *, unfinished: bool) -> PlanState:
    stretch = Stretch(row.stretch_reason, row.stretch_count, row.stretch_from) if row.stretch_reason else None
    return PlanState(
        planned_until=row.planned_until,
        anchor=row.anchor,
        unfinished=unfinished,
        paused=row.paused_at is not None,
        stretch=stretch,
    )


def _counted(plans: Plan, state: PlanState) -> Counter[str]:
    counts: Counter[str] = Counter()
    for planned in plans.runs:
        counts[planned.reason or planned.state] += planned.count
        if planned.extends and state.stretch is not None:
            counts[planned.reason or planned.state] -= state.stretch.count - LONGEST_STRETCH
    return counts


def _no_such_schedule(connection: Connection, application: str, name: str, *, retired: bool) -> NoSuchSchedule:
    if retired:
        return NoSuchSchedule(f'the schedule "{name}" of "{application}" is retired; define it again to run it')
    rows = statements.schedule.of_application(connection, application, lock=False)
    names = [row.name for row in rows if row.retired_at is None]
    near = get_close_matches(name, names, n=1)
    remedy = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names) or 'none'}"
    return NoSuchSchedule(f'"{application}" has no schedule "{name}"; {remedy}')
