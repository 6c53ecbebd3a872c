"""What becomes of each due instant (rules 13 and 14): a pure decision, which the store writes down in one transaction.

`plan` is called again for as long as it says `more`, and whenever `next_due` has come. Each instant comes up in one
call only: a plan starts after `planned_until`, and names the next one.
"""

import hashlib
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from ..definitions.model import Schedule
from ..definitions.triggers.trigger import At
from .plan_rows import Entry, Ledger, Skip, Stretch

MISSED_AFTER = 60.0
"""Seconds. An instant older than this when it is planned was missed, not merely planned late."""
MOST_CAUGHT_UP = 1_000
"""How many missed instants `catch_up = "all"` runs; the older ones are recorded as missed."""
MOST_EXAMINED = 50_000
"""How many instants one call looks at."""
_HELD_BACK = 2_000
"""How many of them are left to the next call when there are more: only the newest 1,000 can be caught up, and no more than
600 fit into the time before an instant counts as missed, so the fate of all before these is certain."""
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class PlanState:
    """What is stored of a schedule's planning. Instants up to and including ``planned_until`` are accounted for."""

    planned_until: datetime
    anchor: datetime
    unfinished: bool = False
    """A run of it is not over: running, to be resumed, waiting for a retry or for its predecessor (rule 14)."""
    paused: bool = False
    stretch: Stretch | None = None
    """The instants up to now that did not run, as `Plan.stretch` gave it."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run row to be made; with ``last_scheduled_for``, a counted one that stands for ``count`` instants."""

    scheduled_for: datetime
    state: Literal["pending", "skipped"]
    reason: Skip | None
    """Why it is skipped; None if it is pending."""
    available_at: datetime
    """When it may start: the instant and its jitter."""
    waits: bool = False
    """Pending, but behind an earlier run of this schedule: it becomes due when that is over."""
    last_scheduled_for: datetime | None = None
    count: int = 1
    extends: bool = False
    """The counted row with this `scheduled_for` is there already: it gets this `last_scheduled_for` and `count`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to make, and the state to store with them; ``more``: call again at once."""

    runs: tuple[PlannedRun, ...]
    next_due: datetime | None
    planned_until: datetime
    stretch: Stretch | None
    more: bool


def first_state(schedule: Schedule, now: datetime) -> PlanState:
    """Return the state of a schedule that is seen for the first time: it has missed nothing.

    An `at` in the past that never ran is one missed instant.
    """
    if isinstance(schedule.trigger, At):
        return PlanState(planned_until=min(now, schedule.trigger.instant - _TICK), anchor=now)
    return PlanState(planned_until=now, anchor=now)


def changed_state(state: PlanState, now: datetime) -> PlanState:
    """Return the state of a schedule whose `timing` has changed: it counts from the change, never backwards (rule 13)."""
    return PlanState(
        planned_until=max(state.planned_until, now), anchor=now, unfinished=state.unfinished, paused=state.paused
    )


def plan(application: str, schedule: Schedule, state: PlanState, now: datetime) -> Plan:
    """Decide what becomes of the instants that are due at ``now``, the database's time (rule 1)."""
    due, truncated = _due(schedule, state, now)
    caught_up = frozenset() if truncated else _caught_up(schedule, due, now)
    ledger = Ledger(state.stretch)
    unfinished, planned_until = state.unfinished, state.planned_until
    for instant in due:
        skip = _skip(schedule, instant, now, caught_up, paused=state.paused, unfinished=unfinished)
        if not ledger.enter(instant, skip, waits=unfinished and schedule.overlap != "allow"):
            truncated = True
            break
        planned_until = instant
        unfinished = unfinished or skip is None
    if not truncated:
        planned_until = max(planned_until, now)
    return Plan(
        runs=tuple(_planned(application, schedule, entry) for entry in ledger.entries()),
        next_due=next(schedule.instants(planned_until, state.anchor), None),
        planned_until=planned_until,
        stretch=ledger.stretch,
        more=truncated,
    )


def jitter(application: str, schedule: Schedule, instant: datetime) -> timedelta:
    """Return how much later than due a run may start: the same on every replica, below the schedule's `jitter`."""
    key = f"{application}\0{schedule.name}\0{instant.timestamp():.6f}".encode()
    share = int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64
    return timedelta(milliseconds=int(schedule.jitter * share * 1_000))


def _due(schedule: Schedule, state: PlanState, now: datetime) -> tuple[list[datetime], bool]:
    """Return the due instants that this call settles, and whether it leaves some to the next."""
    found: list[datetime] = []
    for instant in islice(schedule.instants(state.planned_until, state.anchor), MOST_EXAMINED + 1):
        if instant > now:
            return found, False
        found.append(instant)
    if len(found) <= MOST_EXAMINED:
        return found, False
    return found[: MOST_EXAMINED - _HELD_BACK], True


def _caught_up(schedule: Schedule, due: list[datetime], now: datetime) -> frozenset[datetime]:
    """Return the missed instants that run all the same."""
    in_time = [instant for instant in due if not _too_late(schedule, instant, now)]
    missed = [instant for instant in in_time if _late(instant, now) > MISSED_AFTER]
    if schedule.catch_up == "all":
        return frozenset(missed[-MOST_CAUGHT_UP:])
    if schedule.catch_up == "skip" or (schedule.overlap == "skip" and len(in_time) > len(missed)):
        return frozenset()  # with `overlap = "skip"` a missed one would make the one that is due just now be skipped
    return frozenset(missed[-1:])


def _skip(
    schedule: Schedule,
    instant: datetime,
    now: datetime,
    caught_up: Container[datetime],
    *,
    paused: bool,
    unfinished: bool,
) -> Skip | None:
    """Return why an instant does not run; None if it does."""
    if paused:
        return "paused"
    missed = _late(instant, now) > MISSED_AFTER
    if _too_late(schedule, instant, now) or (missed and instant not in caught_up):
        return "missed"
    if schedule.overlap == "skip" and unfinished and not (missed and schedule.catch_up == "all"):
        return "overlap"
    return None


def _planned(application: str, schedule: Schedule, entry: Entry) -> PlannedRun:
    return PlannedRun(
        scheduled_for=entry.first,
        state="pending" if entry.skip is None else "skipped",
        reason=entry.skip,
        available_at=entry.first + jitter(application, schedule, entry.first),
        waits=entry.waits,
        last_scheduled_for=entry.last if entry.counted else None,
        count=entry.count,
        extends=entry.extends,
    )


def _late(instant: datetime, now: datetime) -> float:
    return (now - instant) / timedelta(seconds=1)


def _too_late(schedule: Schedule, instant: datetime, now: datetime) -> bool:
    return schedule.start_within is not None and _late(instant, now) > schedule.start_within
