"""The planning of due instants: a run row for each, written as the schedule moves on (rule 13)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.schedule import Schedule
from ..store import statements
from .plan import PlanState, plan
from .plan_rows import Stretch
from .write_plan import write_plan

MOST_SCHEDULES = 50
"""The most schedules that one transaction plans."""
ENOUGH_ROWS = 1_000
"""The rows after which a transaction plans no further schedule; each adds at most 1,000."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What is left to do and to report after due instants were planned."""

    more: bool = False
    """There is more to plan at once."""
    doubled: int = 0
    """Instants that already had a run. Always 0: anything else is a bug to be reported."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The schedules that were not planned, and why."""


def plan_due(
    connection: Connection,
    application: str,
    known: Mapping[str, Schedule],
    *,
    trusts: Callable[[datetime], bool] | None = None,
) -> PlanReport:
    """Write a run for each due instant of the known schedules; call it again while it returns
    ``more``.

    Schedules that another replica is planning are skipped. The definition in the database decides,
    so that replicas with an older file plan the same. Runs that should have started by now
    (`start_within`) and did not are recorded as missed. ``trusts`` returns whether the database's
    time can be trusted; if not, nothing is planned.
    """
    if trusts is not None and not trusts(statements.schedule.database_time(connection)):
        return PlanReport()
    _skip_late_runs(connection, application, known)
    rows = statements.schedule.due(connection, application, list(known), MOST_SCHEDULES)
    busy = statements.schedule.still_running(connection, application, [row.name for row in rows]) if rows else set()
    unreadable: dict[str, str] = {}
    made = doubled = planned = 0
    more = len(rows) == MOST_SCHEDULES
    for row in rows:
        if made >= ENOUGH_ROWS:
            more = True
            break
        try:
            schedule = _defined(row, known[row.name])
        except UnreadableDefinition as error:
            unreadable[row.name] = str(error)
            continue
        state = _state(row, unfinished=row.name in busy)
        decided = plan(application, schedule, state, row.now)
        doubled += write_plan(connection, application, schedule, row.run_digest, decided, row.now)
        made += len(decided.runs)
        planned += 1
        more = more or decided.more
    return PlanReport(more and planned > 0, doubled, unreadable)


def _skip_late_runs(connection: Connection, application: str, known: Mapping[str, Schedule]) -> None:
    late = statements.run.late(connection, application, list(known))
    if not late:
        return
    locked = statements.schedule.lock_free(connection, {(application, name) for _, name in late})
    ids = [run_id for run_id, name in late if (application, name) in locked]
    if not ids:
        return
    for name in sorted(statements.run.mark_missed(connection, ids)):
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
