"""The deadlines of schedules: by when the next success of each is expected."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import Connection

from ..definitions.schedule import UnreadableDefinition, read_schedule
from ..definitions.triggers.wall_time import stored_deadline
from ..scheduling.plan import MISSED_AFTER
from ..store import statements
from ..store.policies import Policies, read_policies
from ..store.tables import ScheduleKey
from ..store.views.defined import read_stored
from ..store.views.fleet import ScheduleFacts
from ..store.views.overview import Overview, RunningRun, ScheduleLine, WaitingRun
from ..store.views.usual import Usual, usual_seconds

_LOOKED_AT = 20_000
"""So many instants are looked at for one that is not excluded."""
_TICK = timedelta(microseconds=1)
_LATEST_START = 300.0
"""Seconds that a run may wait for its start before an alarm, if there is no `start_within`."""
_UNKNOWN_DURATION = 3600.0
"""Seconds that a run may take before an alarm, until its usual duration is known."""


def with_deadlines(connection: Connection, overview: Overview, lines: Sequence[ScheduleLine]) -> list[ScheduleLine]:
    """Return lines of an overview with by when the next success of each is expected: of its oldest run that is
    not over (but for one that is to end, and one that tries another again or fills in an instant of
    before), otherwise of what is due next. That is `finish_by`, or else the latest start (`start_within`,
    otherwise a minute late) and as long as it usually takes. A schedule without history and `finish_by`
    has no deadline, and so one of which nothing is due.
    """
    unfinished, of_lines = _oldest(connection, overview), {(line.application, line.schedule): line for line in lines}
    stored = read_stored(connection, of_lines)
    policies = {key: read_policies(definition) for key, (definition, _) in stored.items()}
    due = {key: _next(of_lines[key], *stored[key], excludes=policies[key].excludes) for key in stored}
    is_asked = {key: due[key] is not None and policies[key].finish_by is None for key in stored}
    usual = usual_seconds(connection, [key for key in stored if key in unfinished or is_asked[key]])
    by = {key: _deadline(due[key], policies[key], unfinished.get(key), usual.get(key)) for key in stored}
    return [line if by.get(key) is None else replace(line, success_by=by[key]) for key, line in of_lines.items()]


def _oldest(connection: Connection, overview: Overview) -> dict[ScheduleKey, RunningRun | WaitingRun]:
    found: dict[ScheduleKey, RunningRun | WaitingRun] = {}
    going_on = (run for run in overview.running if run.cancelled_by is None)
    unfinished: list[RunningRun | WaitingRun] = [*going_on, *overview.waiting]
    of_before = statements.retries.among_runs(connection, [run.run_id for run in unfinished])
    for run in sorted(unfinished, key=lambda run: (run.scheduled_for, run.run_id)):
        if run.run_id not in of_before:
            found.setdefault((run.application, run.schedule), run)
    return found


def _deadline(
    instant: datetime | None, policies: Policies, run: RunningRun | WaitingRun | None, usual: float | None
) -> datetime | None:
    if run is not None and instant is not None and run.scheduled_for > instant:
        run = None  # it was requested for later
    if run is not None and run.finish_by is not None:
        return run.finish_by
    instant = instant if run is None else run.scheduled_for
    if instant is None:
        return None
    if run is None and policies.finish_by is not None:
        return stored_deadline(policies.finish_by, instant, policies.timezone)
    grace = MISSED_AFTER if policies.start_within is None else policies.start_within
    return None if usual is None else instant + timedelta(seconds=grace + usual)


def _next(line: ScheduleLine, definition: str, anchor: datetime, *, excludes: bool) -> datetime | None:
    """Return the next instant that is to run. Only where that is not `next_due` the whole definition is read."""
    if line.next_due is None or not line.enabled or (line.paused_at is not None and line.paused_until is None):
        return None
    first = line.next_due if line.paused_until is None else max(line.next_due, line.paused_until)
    return next_instant(definition, first, anchor) if excludes or first != line.next_due else first


def next_instant(definition: str, due: datetime, anchor: datetime) -> datetime | None:
    """Return the first scheduled time from ``due`` on that is not excluded; None if none is near, or can be read."""
    try:
        schedule = read_schedule(definition)
    except UnreadableDefinition:
        return None
    coming = islice(schedule.instants(due - _TICK, anchor), _LOOKED_AT)
    return next((instant for instant in coming if schedule.excluded_by(instant) is None), None)


def success_deadline(one: ScheduleFacts, known: Policies, usual: Usual | None) -> float | None:
    """Return when to alarm because a schedule has not succeeded; None if nothing is due. It is later than what
    `with_deadlines` shows, because a false alarm costs more.
    """
    missed = None if known.catch_up == "skip" else one.missed
    owed = min((instant for instant in (one.owed, missed) if instant is not None), default=one.next_due)
    if owed is None or not known.enabled:
        return None
    if one.owed_by is not None and owed == one.owed:
        return one.owed_by
    if known.finish_by is not None:
        by = stored_deadline(known.finish_by, datetime.fromtimestamp(owed, UTC), known.timezone)
        return None if by is None else by.timestamp()
    start = _LATEST_START if known.start_within is None else known.start_within
    return owed + start + (_UNKNOWN_DURATION if usual is None else usual.p95)
