"""The planning of due instants: a run row for each, written as the schedule moves on (rule 13).

One transaction is bounded, however much was missed, and a replica claims between two of them. Half
of it is for the schedules that became due last, which may start at once; so nothing waits behind
those that have missed a year, and these move on too.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from lease.database.database import Database

from ..definitions.codec import UnreadableDefinition
from ..definitions.schedule import Schedule
from ..states import SkipReason
from ..store import statements
from ..telemetry.facts import Note, Notify, TimesSkipped
from .plan import LONGEST_STRETCH, Pause, Plan, PlanState, Stretch, plan, waits_for_predecessor
from .telling import Told, tell
from .trusted_time import ClockJumped, Trusts, by_trusted_time
from .write_plan import Decision, defined, feed_due, place_due, write_plans

MOST_SCHEDULES = 100
"""The most schedules that one transaction plans: a replica starts no more at once, and others plan the rest meanwhile."""
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
    """Write a run for each due instant of the known schedules; call it again while it returns ``more``. If these are
    all that the application has but for some ``others``, the database is not told their names.

    Schedules that another replica is planning are skipped. The definition in the database decides, so that replicas
    with an older file plan the same. Runs that did not start in time (`start_within`) are recorded as missed; those
    that were requested for by now take their places, and so do those of backfills whose turn it is.
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
    which = {"names": list(known)} if others is None else {"but": others}
    due = statements.schedule.due(connection, application, MOST_SCHEDULES, **which)
    rows = [row for row in due if row.name in known]
    names = {row.name for row in rows}
    busy = statements.schedule.still_running(connection, application, names) if rows else set()
    filled_in = statements.requests.at_work(connection, application, names) if rows else set()
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
    _reported: set[str] = field(default_factory=set, init=False)

    async def plan(self, database_time: datetime) -> bool:
        """Plan what is due, as much as one transaction may; return False where a jump of the clock stands in the way.

        On SQLite ``database_time`` is the machine's clock.
        """
        self.has_more, self.made = False, 0
        if self.trusts is not None and not self.trusts(database_time):
            return False

        def plan(connection: Connection) -> PlanReport:
            return plan_due(connection, self.application, self.schedules, others=self.others())

        try:
            report = await self.database.write(by_trusted_time(plan, self.trusts))
        except ClockJumped:
            return False
        for (key, reason), count in report.skipped.items():
            self.notify(TimesSkipped(self.application, self.called(key), reason, count))
        self._report_faults(report)
        self.has_more, self.made = report.more, report.made
        return True

    def _report_faults(self, report: PlanReport) -> None:
        """Report, once, what planning could not do; what it did is in the table of runs."""
        faults = {f'schedule "{name}": {why}' for name, why in report.unreadable.items()}
        if report.doubled:
            faults.add(
                f"{report.doubled} scheduled times already had a run: "
                "two replicas planned the same schedule at once, which is a bug in leased"
            )
        for fault in faults - self._reported:
            self.notify(Note(fault, is_warning=True))
        self._reported |= faults
