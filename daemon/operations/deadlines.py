"""The deadlines of schedules: by when the next success of each is expected."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import Connection

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.schedule import Schedule
from ..scheduling.plan import MISSED_AFTER
from ..store import statements
from ..store.called import called
from ..store.schedule_key import ScheduleKey
from ..store.views import Called, Overview, RunningRun, ScheduleLine, WaitingRun
from ..store.views.usual import usual_seconds

_LOOKED_AT = 20_000
"""So many instants are looked at for one that is not excluded."""
_TICK = timedelta(microseconds=1)


def with_deadlines(connection: Connection, overview: Overview, lines: Sequence[ScheduleLine]) -> list[ScheduleLine]:
    """Return lines of an overview with by when the next success of each is expected: of its oldest run that is
    not over (but for one that is to end, and one that tries another again or fills in an instant of
    before), otherwise of what is due next. That is `finish_by`, or else the latest start (`start_within`,
    otherwise a minute late) and as long as it usually takes. A schedule without history and `finish_by`
    has no deadline, and so one of which nothing is due.
    """
    unfinished = _oldest(connection, overview)
    usual = usual_seconds(connection, {(line.application, line.schedule) for line in lines})
    schedules = dict(_schedules(connection, lines))
    found = []
    for line in lines:
        key = line.application, line.schedule
        defined = schedules.get(key)
        by = None if defined is None else _deadline(line, *defined, unfinished.get(key), usual.get(key))
        found.append(replace(line, success_by=by))
    return found


def _schedules(
    connection: Connection, lines: Sequence[ScheduleLine]
) -> Iterator[tuple[ScheduleKey, tuple[Schedule, datetime]]]:
    """Yield the definitions of these schedules that can be read, each with the anchor of its schedule."""
    names = Called(connection)
    for application in sorted({line.application for line in lines}):
        keys = [names.key(application, line.schedule) for line in lines if line.application == application]
        for row in statements.schedule.of_application(connection, application, lock=False, names=keys):
            try:
                yield (application, called(row)), (read_schedule(row.definition), row.anchor)
            except UnreadableDefinition:
                continue


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
    line: ScheduleLine, schedule: Schedule, anchor: datetime, run: RunningRun | WaitingRun | None, usual: float | None
) -> datetime | None:
    instant = _next(line, schedule, anchor)
    if run is not None and instant is not None and run.scheduled_for > instant:
        run = None  # it was requested for later
    if run is not None and run.finish_by is not None:
        return run.finish_by
    instant = instant if run is None else run.scheduled_for
    if instant is None:
        return None
    if run is None and schedule.finish_by is not None:
        return schedule.finishes_by(instant)
    grace = MISSED_AFTER if schedule.start_within is None else schedule.start_within
    return None if usual is None else instant + timedelta(seconds=grace + usual)


def _next(line: ScheduleLine, schedule: Schedule, anchor: datetime) -> datetime | None:
    """Return the next instant that is to run."""
    if line.next_due is None or (line.paused_at is not None and line.paused_until is None):
        return None
    first = line.next_due if line.paused_until is None else max(line.next_due, line.paused_until)
    return _not_excluded(schedule, first, anchor)


def next_instant(definition: str, due: datetime, anchor: datetime) -> datetime | None:
    """Return the first scheduled time from ``due`` that is not excluded; None if none is near, or if the definition
    cannot be read.
    """
    try:
        return _not_excluded(read_schedule(definition), due, anchor)
    except UnreadableDefinition:
        return None


def _not_excluded(schedule: Schedule, first: datetime, anchor: datetime) -> datetime | None:
    coming = islice(schedule.instants(first - _TICK, anchor), _LOOKED_AT)
    return next((instant for instant in coming if schedule.excluded_by(instant) is None), None)
