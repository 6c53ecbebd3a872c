"""From due instants to runs: one row each, made in the transaction that moves the schedule on (rule 13)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.model import Schedule
from ..store import statements
from .plan import PlanState, plan
from .plan_rows import Stretch
from .write_plan import write_plan

MOST_SCHEDULES = 50
"""How many schedules one transaction plans."""
MOST_ROWS = 1_000
"""After so many rows a transaction takes no further schedule; each makes 1,000 at most (rule 13)."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What is left to do, or to report, once due instants were planned."""

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
) -> PlanReport:
    """Give each instant that is due a run, for known schedules that no other replica is at; call it again while ``more``.

    The definition in the database decides, so that replicas with an older file plan the same. Runs that were to start by
    now (`start_within`) and did not are recorded as missed. ``trusts`` tells whether the database's time may be planned by; if
    not, nothing is.
    """
    if trusts is not None and not trusts(statements.schedule.database_time(connection)):
        return PlanReport()
    _give_up_late(connection, application, known)
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
        made += len(plans.runs)
        planned += 1
        more = more or plans.more
    return PlanReport(more and planned > 0, doubled, unreadable)


def _give_up_late(connection: Connection, application: str, known: Mapping[str, Schedule]) -> None:
    late = statements.run.late(connection, application, list(known))
    if not late:
        return
    locked = statements.schedule.lock_free(connection, {(application, name) for _, name in late})
    ids = [run_id for run_id, name in late if (application, name) in locked]
    if not ids:
        return
    for name in sorted(statements.run.miss(connection, ids)):
        statements.run.promote(connection, application, name)


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
