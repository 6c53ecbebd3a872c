"""The plan of a backfill: what is to become of past instants, or the sentence why that cannot be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

from sqlalchemy import Connection, Row

from ...definitions.codec import read_schedule
from ...definitions.schedule import Schedule
from ...errors import DaemonError
from ...scheduling.plan import waits_for_predecessor
from ...store import statements
from ...store.called import called
from ...text import number, when
from ..retries.plan import RetryPlan
from ..retries.retry import Planned, plan_retries
from .counted import Split, split
from .survey import Survey, Try, survey

MOST_INSTANTS = 10_000
"""The most instants of one backfill."""
_TICK = timedelta(microseconds=1)


class CannotBackfill(DaemonError, ValueError):
    """These instants cannot be run now, or not so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be run: the instants of a schedule from one to another, both included, and how many at a time."""

    application: str
    schedule: str
    first: datetime
    last: datetime
    at_most: int = 1


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What there is of each instant, and the retries and splits that are to be written."""

    row: Row[Any]
    schedule: Schedule
    wanted: Wanted
    instants: int
    found: Survey
    retries: Sequence[Planned]
    splits: Sequence[Split]


def plan_backfill(connection: Connection, wanted: Wanted, row: Row[Any], *, lock: bool) -> BackfillPlan:
    """Return the plan for the schedule in ``row``, which is locked if ``lock`` says so. Raises `CannotBackfill`."""
    schedule = read_schedule(row.definition)
    _refuse(wanted, schedule, called(row))
    key = (row.application, row.name)
    instants = _instants(wanted, schedule, row)
    if len(instants) > MOST_INSTANTS:
        _refuse_unkept(connection, schedule, row, instants[0])  # to end it earlier would not help
        raise CannotBackfill(
            f"a backfill has at most {number(MOST_INSTANTS)} scheduled times; here they end at "
            f"{when(instants[MOST_INSTANTS - 1])}: end it there, and start another one after it"
        )
    rows = statements.backfills.due_between(connection, key, instants[0], instants[-1]) if instants else []
    next_tries = _next_tries(connection, [one.id for one in rows])
    found = survey(instants, rows, next_tries, lambda instant: schedule.excluded_by(instant) is not None)
    retries = plan_retries(connection, {key}, found.ended, lock=lock) if found.ended else []
    if instants:
        _refuse_unkept(connection, schedule, row, instants[0])
    again = [one for one in retries if isinstance(one.plan, RetryPlan)]
    # The others were forgotten, say, or all of their jobs had succeeded when they were cancelled.
    found.left_out += len(retries) - len(again)
    lost = set(found.ended) - {one.row.id for one in again}
    found.each = [one._replace(fate="left out") if one.run_id in lost else one for one in found.each]
    found.ended = [one.row.id for one in again]
    return BackfillPlan(row, schedule, wanted, len(instants), found, again, _splits(found, schedule, row))


def _refuse(wanted: Wanted, schedule: Schedule, name: str) -> None:
    """Raise `CannotBackfill` for what no backfill of this schedule can be."""
    if wanted.at_most < 1:
        raise CannotBackfill(f"at most {wanted.at_most} runs at a time would never run anything; give 1 or more")
    if wanted.at_most > 1 and waits_for_predecessor(schedule.overlap):
        raise CannotBackfill(
            f'at most {wanted.at_most} runs at a time need overlap = "allow"; "{name}" has overlap = '
            f'"{schedule.overlap}", so its runs wait for each other: leave it out'
        )
    if wanted.first > wanted.last:
        raise CannotBackfill(
            f"the first time, {when(wanted.first)}, is after the last, {when(wanted.last)}; give the earlier one first"
        )
    if schedule.on_request:
        raise CannotBackfill(
            f'"{name}" runs only on request, so it has no scheduled times; `leased trigger {name}` runs it'
        )
    if not schedule.enabled:
        raise CannotBackfill(
            f'"{name}" is disabled, so it has no scheduled times; enable it, or `leased trigger {name}`'
        )


def _instants(wanted: Wanted, schedule: Schedule, row: Row[Any]) -> list[datetime]:
    last = min(wanted.last, row.planned_until)
    due = takewhile(lambda instant: instant <= last, schedule.instants(wanted.first - _TICK, row.anchor))
    return list(islice(due, MOST_INSTANTS + 1))


def _refuse_unkept(connection: Connection, schedule: Schedule, row: Row[Any], first: datetime) -> None:
    """Raise `CannotBackfill` if nobody knows what became of the first instant: it may have succeeded.

    The runs have been read before: what was pruned meanwhile is recorded by now.
    """
    of, key = f'"{called(row)}"', (row.application, row.name)
    oldest = statements.backfills.oldest(connection, key)
    pruned = statements.old_runs.pruned_until(connection, *key)
    if oldest is None:
        raise CannotBackfill(
            f"{of} has not been due yet since its first deploy, and a backfill reaches back no further; "
            "`leased trigger` runs it now"
        )
    if first >= oldest and (pruned is None or first > pruned):
        return
    start = oldest - _TICK if pruned is None else max(oldest - _TICK, pruned)
    kept = next(schedule.instants(start, row.anchor), None)
    why = (
        f"{of} was first planned at {when(oldest)}"
        if pruned is None
        else (f"runs of {of} up to {when(pruned)} may have been pruned")
    )
    remedy = "no backfill is possible now" if kept is None else f"the earliest possible time is {when(kept)}"
    raise CannotBackfill(f"nothing is known about {when(first)}: {why}; {remedy}")


def earliest(connection: Connection, row: Row[Any]) -> datetime | None:
    """Return the first scheduled time that a backfill of the schedule in ``row`` can run; None: there is none yet."""
    key = (row.application, row.name)
    oldest = statements.backfills.oldest(connection, key)
    pruned = statements.old_runs.pruned_until(connection, *key)
    return oldest if oldest is None or pruned is None else max(oldest, pruned + _TICK)


def _next_tries(connection: Connection, ids: Sequence[int]) -> Mapping[int, Try]:
    found: dict[int, Try] = {}
    latest: Sequence[int] = ids
    while latest:
        rows = statements.backfills.retries(connection, latest)
        found |= {row.retry_of: Try(row.id, row.state, row.backfill) for row in rows}
        latest = [row.id for row in rows]
    return found


def _splits(found: Survey, schedule: Schedule, of: Row[Any]) -> list[Split]:
    done = []
    for row, taken in found.counted.items():
        parts = split(row, taken, schedule, of.anchor)
        if parts is None:
            raise CannotBackfill(
                f'run {row.run_id} of "{called(of)}" stands for {number(row.count)} scheduled times from '
                f"{when(row.first)} to {when(row.last)}, but the timing of its schedule has changed since; leave "
                "them out"
            )
        done.append(parts)
    return done
