"""The planning of due instants: a run row for each, written as the schedule moves on (rule 13).

One transaction is bounded, however much was missed, and a replica claims between two of them. Half
of it is for the schedules that became due last, which may start at once; so nothing waits behind
those that have missed a year, and these move on too.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.codec import UnreadableDefinition
from ..definitions.schedule import Schedule
from ..states import SkipReason
from ..store import statements
from .pause import Pause
from .place import defined, feed_due, place_due
from .plan import Plan, PlanState, plan, waits_for_predecessor
from .plan_rows import LONGEST_STRETCH, Stretch
from .telling import Told, tell
from .write_plan import Decision, write_plans

MOST_SCHEDULES = 500
"""The most schedules that one transaction plans."""
ENOUGH_ROWS = 1_000
"""The most rows that one transaction makes."""
MOST_LATE = 5_000
"""The most runs that one transaction records as missed because they did not start in time."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What is left to do and to report after due instants were planned."""

    more: bool = False
    """There is more to plan at once."""
    made: int = 0
    """The number of runs that were planned, those that are skipped included, or that took their place."""
    doubled: int = 0
    """Instants that already had a run. Always 0: anything else is a bug to be reported."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The schedules that were not planned, and why."""
    skipped: Mapping[tuple[str, SkipReason], int] = field(default_factory=dict)
    """How many scheduled times do not run, by schedule and reason."""


def plan_due(
    connection: Connection,
    application: str,
    known: Mapping[str, Schedule],
    *,
    others: Collection[str] | None = None,
) -> PlanReport:
    """Write a run for each due instant of the known schedules; call it again while it returns
    ``more``. If these are all that the application has but for some ``others``, the database is not
    told their names.

    Schedules that another replica is planning are skipped. The definition in the database decides,
    so that replicas with an older file plan the same. Runs that did not start in time
    (`start_within`) are recorded as missed; those that were requested for by now take their places, and
    so do those of backfills whose turn it is.
    """
    planned = _plan_and_place(connection, application, known, others)
    fed = feed_due(connection, application, known, others)  # last: what is due goes ahead
    unreadable = {**fed.unreadable, **planned.unreadable}
    return replace(planned, made=planned.made + fed.placed, unreadable=unreadable)


def _plan_and_place(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None
) -> PlanReport:
    late, skipped = _skip_late_runs(connection, application, known)
    places = place_due(connection, application, known, others)  # first: an instant finds them there
    rows = _due(connection, application, known, others)
    names = {row.name for row in rows}
    busy = statements.schedule.still_running(connection, application, names) if rows else set()
    filled_in = statements.feeding.at_work(connection, application, names) if rows else set()
    decisions, unreadable = list[Decision](), dict(places.unreadable)
    made, more = 0, len(rows) >= MOST_SCHEDULES
    while rows and made < ENOUGH_ROWS:
        half = ENOUGH_ROWS // 2
        row, left = (rows.pop(), half - made) if made < half else (rows.pop(0), ENOUGH_ROWS - made)
        try:
            schedule = defined(row, known[row.name])
        except UnreadableDefinition as error:
            unreadable[row.name] = str(error)
            continue
        decided = plan(application, schedule, _state(row, unfinished=row.name in busy), row.now, left)
        decided = _behind_a_backfill(decided, schedule) if row.name in filled_in else decided
        decisions.append(Decision(schedule, row.run_digest, decided, row.now, row.planned_until))
        skipped.update(_skipped(row, decided))
        made, more = made + len(decided.runs), more or decided.more
    doubled = write_plans(connection, application, decisions) if decisions else 0
    missed = [Told("schedule.missed", name, count=count) for (name, why), count in skipped.items() if why == "missed"]
    tell(connection, application, missed)
    return PlanReport(
        late or places.more or ((more or bool(rows)) and bool(decisions)),
        made + places.placed,
        doubled,
        unreadable,
        skipped,
    )


def _skipped(row: Row[Any], decided: Plan) -> Counter[tuple[str, SkipReason]]:
    """Return how many instants the plan of a schedule skips, by reason."""
    counted_before = max(0, (row.stretch_count or 0) - LONGEST_STRETCH)
    skipped = Counter[tuple[str, SkipReason]]()
    for planned in decided.runs:
        if planned.reason is not None:
            skipped[row.name, planned.reason] += planned.count - (counted_before if planned.extends else 0)
    return skipped


def _behind_a_backfill(decided: Plan, schedule: Schedule) -> Plan:
    """Return the plan with the first run that would start waiting for a backfill's, which is at work."""
    if not waits_for_predecessor(schedule.overlap):
        return decided
    first = next((at for at, planned in enumerate(decided.runs) if planned.state == "pending"), None)
    if first is None:
        return decided
    runs = [*decided.runs[:first], replace(decided.runs[first], waits=True), *decided.runs[first + 1 :]]
    return replace(decided, runs=tuple(runs))


def _due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None
) -> list[Row[Any]]:
    """Lock and return the known schedules that are due."""
    if others is None:
        return statements.schedule.due(connection, application, MOST_SCHEDULES, names=list(known))
    rows = statements.schedule.due(connection, application, MOST_SCHEDULES, but=others)
    return [row for row in rows if row.name in known]


def _skip_late_runs(
    connection: Connection, application: str, known: Mapping[str, Schedule]
) -> tuple[bool, Counter[tuple[str, SkipReason]]]:
    """Record late runs as missed; return whether there are more, and how many were recorded."""
    late = [name for name in statements.run.late(connection, application) if name in known]
    free = statements.schedule.lock_free(connection, {(application, name) for name in late}) if late else ()
    if not free:
        return False, Counter()
    marked = statements.run.mark_missed(connection, application, [name for _, name in free], MOST_LATE)
    statements.ends.promote(connection, {(application, name) for name in marked})
    return sum(marked.values()) == MOST_LATE, Counter({(name, "missed"): count for name, count in marked.items()})


def _state(row: Row[Any], *, unfinished: bool) -> PlanState:
    stretch = Stretch(row.stretch_reason, row.stretch_count, row.stretch_from) if row.stretch_reason else None
    return PlanState(
        planned_until=row.planned_until,
        anchor=row.anchor,
        unfinished=unfinished,
        pause=None if row.paused_at is None else Pause(row.paused_at, row.paused_until),
        stretch=stretch,
    )
