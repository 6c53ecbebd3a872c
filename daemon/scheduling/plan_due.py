"""The planning of due instants: a run row for each, written as the schedule moves on (rule 13).

One transaction is bounded, however much was missed, and a replica claims between two of them. Half
of it is for the schedules that became due last, which may start at once; so nothing waits behind
those that have missed a year, and these move on too.

So too what a new run replaces (`overlap = "replace"`), and the places of runs on request (rule 23).
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from lease.database.database import Database

from ..definitions.schedule import Overlap, Schedule, UnreadableDefinition, read_schedule
from ..errors import DaemonError
from ..states import SkipReason
from ..store import statements
from ..store.notices import Notice, notify_each
from ..store.statements.schedule import DueSchedule
from ..telemetry.facts import Note, Notify, TimesSkipped
from .plan import LONGEST_STRETCH, Pause, Plan, PlannedRun, PlanState, Stretch, lease_name, plan, waits_for_predecessor
from .telling import Told, tell
from .trusted_time import ClockJumped, Trusts, by_trusted_time

MOST_SCHEDULES = 100
"""The most schedules that one transaction plans: a replica starts no more at once, and others plan the rest meanwhile."""
ENOUGH_ROWS = 1_000
"""The most rows that one transaction makes."""
MOST_LATE = 5_000
"""The most runs that one transaction records as missed because they did not start in time."""
MOST_PLACED = 1_000
"""The most runs that one transaction places."""


class PlanningFailed(DaemonError):
    """The plan does not match the database; nothing was written."""


class ToPlan(NamedTuple):
    """What there may be to plan; a kind of which a replica's look has found nothing is left to its next one."""

    late: bool = True
    """Runs that did not start in time."""
    requests: bool = True
    """Runs on request whose moment has come."""
    instants: bool = True
    backfills: bool = True
    """Runs of backfills whose turn it is."""


ALL = ToPlan()


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What is left to do and to report after due instants were planned."""

    more: bool = False
    """There is more to plan at once."""
    made: int = 0
    """The number of runs that were planned, those that are skipped included, or that took their place."""
    ready: bool = False
    """There is one that may start at once."""
    doubled: int = 0
    """Instants that already had a run. Always 0: anything else is a bug to be reported."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """The schedules that were not planned, and why."""
    skipped: Mapping[tuple[str, SkipReason], int] = field(default_factory=dict)
    """How many scheduled times do not run, by schedule and reason."""


@dataclass(eq=False)
class Planner:
    """Plans the schedules of one application.

    ``others`` returns the names of schedules of the application that are not among them, as far as
    they were met. ``called`` returns the name of the schedule in a row. ``trusts`` judges the database's time; None where
    that can always be trusted.
    """

    database: Database
    application: str
    schedules: Mapping[str, Schedule]
    notify: Notify
    trusts: Trusts | None = None
    others: Callable[[], Collection[str]] = tuple
    called: Callable[[str], str] = str
    has_more: bool = field(default=False, init=False)
    """The last call has not planned all that was due."""
    made: int = field(default=0, init=False)
    """The number of runs that it has planned."""
    ready: bool = field(default=False, init=False)
    """One of these may start at once."""
    _reported: set[str] = field(default_factory=set, init=False)

    async def plan(self, database_time: datetime, what: ToPlan = ALL) -> bool:
        """Plan ``what`` is due, as much as one transaction may; return False where a jump of the clock stands in the way.

        On SQLite ``database_time`` is the machine's clock.
        """
        self.has_more, self.made, self.ready = False, 0, False
        if self.trusts is not None and not self.trusts(database_time):
            return False
        unit = partial(plan_due, application=self.application, known=self.schedules, what=what, others=self.others())
        try:
            report = await self.database.write(by_trusted_time(unit, self.trusts))
        except ClockJumped:
            return False
        for (key, reason), count in report.skipped.items():
            self.notify(TimesSkipped(self.application, self.called(key), reason, count))
        # Once, what planning could not do; what it did is in the table of runs.
        faults = {f'schedule "{name}": {why}' for name, why in report.unreadable.items()}
        if report.doubled:
            faults.add(
                f"{report.doubled} scheduled times already had a run: "
                "two replicas planned the same schedule at once, which is a bug in leased"
            )
        for fault in faults - self._reported:
            self.notify(Note(fault, is_warning=True))
        self._reported |= faults
        self.has_more, self.made, self.ready = report.more, report.made, report.ready
        return True


# One transaction


def plan_due(
    connection: Connection,
    application: str,
    known: Mapping[str, Schedule],
    what: ToPlan = ALL,
    *,
    others: Collection[str] | None = None,
) -> PlanReport:
    """Write a run for each due instant of the known schedules; call it again while it returns ``more``. If these are
    all that the application has but for some ``others``, the database is not told their names.

    Schedules that another replica is planning are skipped. The definition in the database decides, so that replicas
    with an older file plan the same. Runs that did not start in time (`start_within`) are recorded as missed; those
    that were requested for by now take their places, and so do those of backfills whose turn it is.
    """
    late, skipped = _skip_late_runs(connection, application, known) if what.late else (False, Counter())
    makes_way = bool(skipped)  # also for a backfill, which had no turn yet when the replica looked
    # First: an instant finds them there.
    places = place_due(connection, application, known, others) if what.requests else PlanReport()
    which = {"names": list(known)} if others is None else {"but": others}
    instants = _plan_instants(connection, application, known, which) if what.instants else PlanReport()
    skipped.update(instants.skipped)
    missed = [Told("schedule.missed", name, count=count) for (name, why), count in skipped.items() if why == "missed"]
    if missed:
        tell(connection, application, missed)
    # Last: what is due goes ahead.
    fed = feed_due(connection, application, known, which) if what.backfills or makes_way else PlanReport()
    return PlanReport(
        late or places.more or instants.more,
        places.made + instants.made + fed.made,
        instants.ready or places.made + fed.made > 0,
        instants.doubled,
        {**fed.unreadable, **places.unreadable, **instants.unreadable},
        skipped,
    )


def _plan_instants(
    connection: Connection, application: str, known: Mapping[str, Schedule], which: Mapping[str, Collection[str]]
) -> PlanReport:
    due = statements.schedule.due(connection, application, MOST_SCHEDULES, **which)
    rows = [row for row in due if row.name in known]
    names = {row.name for row in rows}
    busy, filled_in = statements.schedule.still_running(connection, application, names) if rows else (set(), set())
    decisions, unreadable, skipped = list[Decision](), dict[str, str](), Counter[tuple[str, SkipReason]]()
    made, more, ready = 0, len(rows) >= MOST_SCHEDULES, False
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
        decisions.append(Decision(schedule, decided, row))
        skipped.update(_skipped(row, decided))
        made, more = made + len(decided.runs), more or decided.more
        ready = ready or _is_ready(decided, row.now)
    doubled = write_plans(connection, application, decisions) if decisions else 0
    return PlanReport((more or bool(rows)) and bool(decisions), made, ready, doubled, unreadable, skipped)


def _is_ready(decided: Plan, now: datetime) -> bool:
    """Return whether a run of a plan may start at once."""
    return any(one.state == "pending" and not one.waits and one.available_at <= now for one in decided.runs)


def _skipped(row: DueSchedule, decided: Plan) -> Counter[tuple[str, SkipReason]]:
    """Return how many instants the plan of a schedule skips, by reason."""
    counted_before = max(0, (row.stretch_count or 0) - LONGEST_STRETCH)
    skipped = Counter[tuple[str, SkipReason]]()
    for planned in decided.runs:
        if planned.reason is not None:
            skipped[row.name, planned.reason] += planned.count - (counted_before if planned.extends else 0)
    return skipped


def _behind_a_backfill(decided: Plan, schedule: Schedule) -> Plan:
    """Return the plan with the first run that would start waiting for a backfill's, which is at work."""
    runs = list(decided.runs)
    first = next((at for at, planned in enumerate(runs) if planned.state == "pending"), None)
    if first is None or not waits_for_predecessor(schedule.overlap):
        return decided
    runs[first] = replace(runs[first], waits=True)
    return replace(decided, runs=tuple(runs))


def _skip_late_runs(
    connection: Connection, application: str, known: Mapping[str, Schedule]
) -> tuple[bool, Counter[tuple[str, SkipReason]]]:
    """Record late runs as missed; return whether there are more, and how many were recorded."""
    late = [name for name in statements.run.late(connection, application) if name in known]
    free = statements.schedule.lock_free(connection, {(application, name) for name in late}) if late else ()
    if not free:
        return False, Counter()
    marked = statements.run.mark_missed(connection, application, [name for _, name in free], MOST_LATE)
    statements.claims.promote(connection, {(application, name) for name in marked})
    return sum(marked.values()) == MOST_LATE, Counter({(name, "missed"): count for name, count in marked.items()})


def _state(row: DueSchedule, *, unfinished: bool) -> PlanState:
    return PlanState(
        planned_until=row.planned_until,
        anchor=row.anchor,
        unfinished=unfinished,
        pause=None if row.paused_at is None else Pause(row.paused_at, row.paused_until),
        stretch=Stretch(row.stretch_reason, row.stretch_count or 0, row.stretch_from) if row.stretch_reason else None,
    )


# The writing of plans: their rows and the new state of their schedules


@dataclass(frozen=True, slots=True)
class Decision:
    schedule: Schedule
    plan: Plan
    row: DueSchedule
    """As `statements.schedule.due` has read and locked it."""


def write_plans(connection: Connection, application: str, decisions: Sequence[Decision]) -> int:
    """Write the runs of all plans, and move their schedules on; return how many of the runs already existed."""
    rows = [row for decision in decisions for row in _new_rows(connection, application, decision)]
    overlapping = [row for row in rows if row["reason"] == "overlap"]
    replaced = [row for row in rows if row["reason"] == "replaced"]
    others = [row for row in rows if row["reason"] not in {"overlap", "replaced"}]
    made = statements.schedule.add_runs(connection, application, others) if others else 0
    if overlapping:  # with the runs that they overlap, which may have been made just now
        made += statements.schedule.add_runs(connection, application, _named(connection, application, overlapping))
    newest = _replace(connection, application, decisions)
    if replaced:  # with the run that replaces them, unless there is more to plan before that
        replaced = [row | {"overlapped": newest.get(row["schedule"])} for row in replaced]
        made += statements.schedule.add_runs(connection, application, replaced)
    for decision in decisions:
        for planned in decision.plan.runs:
            if planned.extends:
                _extend(connection, application, decision.schedule, planned)
    apart = [  # runs that have a lease each: how these are named
        (one.schedule.name, lease.base, one.row.run_digest)
        for one in decisions
        if (lease := lease_name(application, one.schedule)).per_run and not all(run.extends for run in one.plan.runs)
    ]
    if apart:
        statements.schedule.name_leases(connection, application, apart)
    if ended := {(application, decision.schedule.name) for decision in decisions if decision.plan.ends_pause}:
        # First: the tables refuse to move on from a pause that is there.
        statements.schedule.end_pause(connection, ended)
    statements.schedule.move_on(connection, application, [_moved_on(decision) for decision in decisions])
    return len(rows) - made


def replace_older(connection: Connection, application: str, newer: Collection[tuple[str, int]]) -> None:
    """Cancel the unfinished runs of locked schedules but for the ``newer`` ones (schedule, id): those that
    wait end at once, and those at work as soon as their work has (rule 23). Replicas hear of it with
    the commit. The newer ones are still to be promoted.
    """
    marked = statements.schedule.mark_older(connection, application, newer)
    if waiting := [run_id for run_id, state in marked if state == "pending"]:
        statements.run.end_marked(connection, waiting)
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
    newest = statements.schedule.planned(connection, application, instants)
    waiting = {name: one.available_at for name, one in new.items() if one.waits}
    if waiting:
        replace_older(connection, application, [(name, newest[name]) for name in waiting])
        statements.schedule.start_replacing(connection, [(newest[name], at) for name, at in waiting.items()])
    return newest


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
    schedule, now = decision.schedule, decision.row.now
    lease = lease_name(application, schedule)
    new = [planned for planned in decision.plan.runs if not planned.extends]
    away_from = None
    if (missed := next((one.scheduled_for for one in new if one.reason == "missed"), None)) is not None:
        seen = statements.replica.last_seen(connection, application, missed)
        since = decision.row.planned_until
        away_from = since if seen is None else max(since, seen)
    rows = []
    for planned in new:
        runs = planned.state == "pending"
        start_by = None
        if schedule.start_within is not None:
            last = planned.scheduled_for + timedelta(seconds=schedule.start_within)
            start_by = last if runs or (planned.reason == "missed" and last < now) else None
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
                "digest": decision.row.run_digest,
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
    found = statements.schedule.unfinished_of_each(connection, application, names)
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


def place_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], others: Collection[str] | None
) -> PlanReport:
    """Place the runs of known schedules whose moment has come; those of locked schedules stay for later."""
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
    return PlanReport(len(due) == MOST_PLACED and placed > 0, placed, unreadable=unreadable)


def feed_due(
    connection: Connection, application: str, known: Mapping[str, Schedule], which: Mapping[str, Collection[str]]
) -> PlanReport:
    """Place the next runs of backfills of known schedules whose turn it is: of each schedule at most those of one
    backfill, and none while another run of the schedule is not over; those of locked schedules stay for later.
    """
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
    return PlanReport(made=placed, unreadable=unreadable)


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
    statements.claims.promote(connection, behind)
    return len(placed)


def defined(row: Row[Any] | DueSchedule, known: Schedule) -> Schedule:
    """Return the definition in the database; ``known`` is that of the replica."""
    return known if row.digest == known.digest else read_schedule(row.definition)
