"""The pause of schedules, until they are resumed or a moment comes; scheduled times until then do not run (rule 23)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Literal

from sqlalchemy import Connection, Row

from ..definitions.schedule import read_schedule
from ..errors import InvalidInstant
from ..instants import parse_instant
from ..store import statements
from ..store.notices import WORK, notify
from ..store.tables import ScheduleKey, called
from ..store.views.causes import paused_text
from ..text import when
from .requester import refuse_unrecordable
from .selection import Selection, lock_planned, read_one

_MOST_COUNTED = 10_000
Done = Literal["paused", "changed", "already paused"]


@dataclass(frozen=True, slots=True)
class PausedSchedule:
    """A schedule that is paused, and whether this act did it."""

    application: str
    schedule: str
    timing: str
    """For people: ``cron 0 2 * * *``."""
    done: Done
    """``changed``: it was paused, and has another end or reason now."""
    paused_by: str | None
    """Who paused it, or gave it another end or reason."""
    paused_at: datetime
    paused_until: datetime | None
    """None: until it is resumed."""
    paused_why: str | None


@dataclass(frozen=True, slots=True)
class ResumedSchedule:
    """A schedule that is not paused, and what the pause was that this act ended."""

    application: str
    schedule: str
    timing: str
    """For people: ``cron 0 2 * * *``."""
    resumed: bool
    """False: it was not paused, and nothing was written."""
    passed: int
    """How many instants passed while it was paused; none of them runs."""
    next_due: datetime | None
    paused_by: str | None
    paused_at: datetime | None
    paused_until: datetime | None
    paused_why: str | None


def pause(
    connection: Connection,
    selected: Selection,
    *,
    requested_by: str,
    why: str | None = None,
    until: datetime | timedelta | None = None,
) -> list[PausedSchedule]:
    """Pause schedules: what is due from now on, and before ``until``, is skipped. Return each of them.

    What was due until now is planned first, by the rules of a schedule that is not paused. Requested
    runs, runs that wait, retries and runs at work go on. With ``until``, what is due from then on runs
    again, whoever is up at that moment; a `timedelta` counts from now, by the database's clock. A
    schedule that is paused stays so, since when it was; another ``until`` or ``why`` replaces its own.

    Raises `InvalidInstant` for an ``until`` that has passed, `NotRecordable`, and what `lock_planned` does.
    """
    refuse_unrecordable(requested_by, why)
    rows = lock_planned(connection, selected)
    now = statements.schedule.database_time(connection)
    end = _moment(until, now)
    done = {_key(row): decide(row, now, why=why, until=end) for row in rows}
    begun = {key for key, act in done.items() if act == "paused"}
    changed = {key for key, act in done.items() if act == "changed"}
    if begun:
        statements.schedule.begin_pause(connection, begun, at=now, by=requested_by, why=why, until=end)
    if changed:
        statements.schedule.change_pause(connection, changed, by=requested_by, why=why, until=end)
    was = {_key(row): row for row in rows}
    rows = statements.schedule.lock_all(connection, done.keys())
    alike = defaultdict[Any, list[tuple[str, str, str | None]]](list)  # what was made together is recorded together
    for row in rows:
        if (act := done[_key(row)]) != "already paused":
            effect = None if act == "paused" else f"changed: it was {paused_text(*_pause_of(was[_key(row)]))}"
            alike[row.paused_by, row.paused_why, row.paused_until].append((*_key(row), effect))
    for (who, reason, ends), schedules in alike.items():
        statements.acts.record_of_each(connection, "pause", schedules, at=now, by=who, why=reason, until=ends)
    for application in sorted({application for application, _ in begun | changed}):
        notify(connection, application, WORK)  # of what was planned, some may start
    return [PausedSchedule(row.application, called(row), row.trigger, done[_key(row)], *_pause_of(row)) for row in rows]


def resume(
    connection: Connection, selected: Selection, *, requested_by: str, why: str | None = None
) -> list[ResumedSchedule]:
    """End the pauses of schedules: what is due from now on runs again. Return each schedule.

    What was due until now is planned first, as paused, and does not run later. For a schedule that is not paused
    nothing is written. Raises `NotRecordable`, and what `lock_planned` does.
    """
    refuse_unrecordable(requested_by, why)
    rows = lock_planned(connection, selected)
    now = statements.schedule.database_time(connection)
    paused = {_key(row) for row in rows if is_paused(row, now)}
    passed = statements.schedule.skipped_in_pause(connection, paused) if paused else {}
    if paused:
        statements.schedule.end_pause(connection, paused)
        effects = [(*key, passed_text(passed.get(key, 0))) for key in sorted(paused)]
        statements.acts.record_of_each(connection, "resume", effects, at=now, by=requested_by, why=why)
    for application in sorted({application for application, _ in paused}):
        notify(connection, application, WORK)
    return [_resumed(row, resumed=_key(row) in paused, passed=passed.get(_key(row), 0)) for row in rows]


def foresee_resume(connection: Connection, application: str, name: str) -> int:
    """Return how many scheduled times of a paused schedule have passed, of which none will run. Raises `NotFound`."""
    row = read_one(connection, application, name)
    now = statements.schedule.database_time(connection)
    planned = statements.schedule.skipped_in_pause(connection, {_key(row)}).get(_key(row), 0)
    if row.next_due is None or row.next_due > now:
        return planned
    schedule = read_schedule(row.definition)
    due = takewhile(lambda instant: instant <= now, schedule.instants(row.planned_until, row.anchor))
    return planned + sum(schedule.excluded_by(instant) is None for instant in islice(due, _MOST_COUNTED))


def is_paused(row: Any, now: datetime) -> bool:
    """Return whether a schedule is paused; its row has a pause that ended by itself until it is planned. Pure."""
    return row.paused_at is not None and (row.paused_until is None or row.paused_until > now)


def decide(row: Any, now: datetime, *, why: str | None, until: datetime | None) -> Done:
    """Return what a pause with this reason and end does to a schedule. Pure."""
    if not is_paused(row, now):
        return "paused"
    is_other = (why is not None and why != row.paused_why) or (until is not None and until != row.paused_until)
    return "changed" if is_other else "already paused"


def _moment(until: datetime | timedelta | None, now: datetime) -> datetime | None:
    try:
        end = now + until if isinstance(until, timedelta) else until and parse_instant(until)
    except OverflowError:
        raise InvalidInstant("until is too far away; leave it out to pause until you resume it") from None
    if end is not None and end <= now:
        raise InvalidInstant(
            f"until must be in the future, but {when(end)} is not: the database's time is {when(now)}; give a later one, "
            "or leave it out to pause until you resume it"
        )
    return end


def passed_text(passed: int) -> str:
    """Return what a pause kept from running: ``4 instants passed while it was paused; none of them will run``."""
    if passed == 0:
        return "no scheduled time passed while it was paused"
    if passed == 1:
        return "1 scheduled time passed while it was paused, and will not run"
    return f"{passed:,} scheduled times passed while it was paused; none of them will run"


def _key(row: Row[Any]) -> ScheduleKey:
    return row.application, row.name


def _resumed(row: Row[Any], *, resumed: bool, passed: int) -> ResumedSchedule:
    pause = _pause_of(row) if resumed else (None,) * 4
    return ResumedSchedule(row.application, called(row), row.trigger, resumed, passed, row.next_due, *pause)


def _pause_of(row: Row[Any]) -> tuple[str | None, datetime, datetime | None, str | None]:
    return row.paused_by, row.paused_at, row.paused_until, row.paused_why
