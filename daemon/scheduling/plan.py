"""The plan of a schedule: what becomes of each due instant, and in which rows, and under which lease its runs execute
(rules 13 and 14). Pure.

`plan_due` writes it in one transaction. `plan` is called again as long as it returns `more`, and at `next_due`. Each
instant comes up in only one call: a plan starts after `planned_until`, and gives the next one.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial, reduce
from itertools import groupby, takewhile
from operator import attrgetter
from typing import Literal, NamedTuple, assert_never

from ..definitions.schedule import DuePiece, Overlap, Schedule, due_pieces
from ..definitions.triggers.trigger import At
from ..definitions.triggers.wall_time import Tally
from ..states import SkipReason

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Pause:
    """Instants after ``since`` and before ``until`` do not run; without ``until``, until it is resumed."""

    since: datetime
    until: datetime | None = None

    def is_over(self, planned_until: datetime) -> bool:
        """Return whether all that it keeps from running is accounted for."""
        return self.until is not None and planned_until >= self.until


class PlannedSpan(NamedTuple):
    """A part of the time that is planned: up to and including ``end``."""

    is_paused: bool
    end: datetime


def spans(pause: Pause | None, after: datetime, now: datetime) -> Iterator[PlannedSpan]:
    """Yield the parts of the time after ``after``, up to ``now``: before the pause, in it, and after it."""
    edges = [PlannedSpan(is_paused=False, end=now)]
    if pause is not None:
        paused_to = now if pause.until is None else pause.until - _TICK
        edges[:0] = [PlannedSpan(is_paused=False, end=pause.since), PlannedSpan(is_paused=True, end=paused_to)]
    for is_paused, edge in edges:
        end = min(edge, now)
        if end > after:
            yield PlannedSpan(is_paused, end)
            after = end


MISSED_AFTER = 60.0
"""Seconds. An instant older than this when it is planned was missed, not merely planned late."""
MOST_CAUGHT_UP = 1_000
"""The most missed instants that `catch_up = "all"` runs; older ones are recorded as missed."""
UNDECIDED = 2_000
"""The newest due instants on days that are not excluded, which are looked at one by one; if there are more, all
others are counted.

Only the newest 1,000 can be caught up, and at most 600 are recent enough not to count as missed, so
the fate of all earlier ones is certain.
"""
MOST_ROWS = 1_000
"""The most rows of one plan (rule 13)."""
LONGEST_STRETCH = 1_000
"""The most instants of one stretch that have a row of their own (rule 13)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The latest instants of a schedule, if none of them ran, all for the same reason."""

    reason: SkipReason
    count: int
    """How many there are, but for those that a counted row before them stands for."""
    counted_from: datetime | None = None
    """The first instant of its counted row; None while it has none."""


@dataclass(frozen=True, slots=True)
class PlanState:
    """The stored state of a schedule's planning: all is accounted for up to and including ``planned_until``."""

    planned_until: datetime
    anchor: datetime
    unfinished: bool = False
    """A run is not over: running, to be resumed, waiting for a retry or its turn (rule 14)."""
    pause: Pause | None = None
    stretch: Stretch | None = None
    """The latest instants, if they did not run; from `Plan.stretch`."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run row to write; with ``last_scheduled_for``, a counted row for ``count`` instants."""

    scheduled_for: datetime
    reason: SkipReason | None
    """Why it is skipped; None if it is pending."""
    available_at: datetime
    """When it may start: the instant plus its jitter."""
    waits: bool = False
    """It waits for an earlier run of this schedule, and becomes due when that run is over."""
    last_scheduled_for: datetime | None = None
    count: int = 1
    extends: bool = False
    """The counted row with this `scheduled_for` exists: update `last_scheduled_for` and `count`."""

    @property
    def state(self) -> Literal["pending", "skipped"]:
        return "pending" if self.reason is None else "skipped"


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows to write, and the state to store with them; ``more``: call again at once."""

    runs: tuple[PlannedRun, ...]
    next_due: datetime | None
    planned_until: datetime
    stretch: Stretch | None
    more: bool
    ends_pause: bool = False
    """All that the pause kept from running is accounted for: with this plan it is over."""


def first_state(schedule: Schedule, now: datetime) -> PlanState:
    """Return the state of a new schedule, which has missed nothing but an `at` in the past, as one instant."""
    if isinstance(schedule.trigger, At):
        return PlanState(planned_until=min(now, schedule.trigger.instant - _TICK), anchor=now)
    return PlanState(planned_until=now, anchor=now)


def changed_state(state: PlanState, now: datetime) -> PlanState:
    """Return the state of a schedule whose `timing` changed: it counts from now on (rule 13)."""
    return replace(state, planned_until=max(state.planned_until, now), anchor=now, stretch=None)


def plan(application: str, schedule: Schedule, state: PlanState, now: datetime, most_rows: int | None = None) -> Plan:
    """Decide what becomes of the instants that are due at ``now``, the database's time (rule 1)."""
    ledger = Ledger(partial(jitter, application, schedule), state.stretch, most_rows)
    planned_until, unfinished = state.planned_until, state.unfinished
    for span in spans(state.pause, planned_until, now):
        pieces = due_pieces(
            schedule, planned_until, span.end, state.anchor, newest=UNDECIDED, newest_excluded=LONGEST_STRETCH
        )
        each = list(_decided(schedule, pieces, now, is_paused=span.is_paused, unfinished=unfinished))
        decided = list(fold(only_newest(each, waits=unfinished) if schedule.overlap == "replace" else each))
        entered = list(takewhile(ledger.enter, decided))
        planned_until = entered[-1].tally.last if entered else planned_until
        if len(entered) < len(decided):
            break
        planned_until = span.end
        if ledger.is_full:
            break
        unfinished = unfinished or any(one.skip is None for one in decided)
    next_due = next(schedule.instants(planned_until, state.anchor), None)
    return Plan(
        runs=ledger.runs(),
        next_due=next_due,
        planned_until=planned_until,
        stretch=ledger.stretch,
        more=next_due is not None and next_due <= now,
        ends_pause=state.pause is not None and state.pause.is_over(planned_until),
    )


def waits_for_predecessor(overlap: Overlap) -> bool:
    """Return whether a run waits while an earlier run of its schedule is not over."""
    match overlap:
        case "allow":
            return False
        case "skip" | "queue" | "replace":
            return True
        case _:
            assert_never(overlap)


def jitter(application: str, schedule: Schedule, instant: datetime) -> timedelta:
    """Return the delay of a run: below the schedule's `jitter`, and the same on every replica."""
    key = f"{application}\0{schedule.name}\0{instant.timestamp():.6f}".encode()
    share = int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64
    return timedelta(milliseconds=int(schedule.jitter * share * 1_000))


def _decided(
    schedule: Schedule, pieces: list[DuePiece], now: datetime, *, is_paused: bool, unfinished: bool
) -> "Iterator[Verdict | Counted]":
    """Yield what becomes of the instants. That a day is excluded comes first: it stays so, whatever else happened."""
    ordinary = [instant for piece in pieces if not piece.excluded for instant in piece.instants]
    caught_up = _caught_up(schedule, ordinary, now)
    for piece in pieces:
        certain: SkipReason | None = "excluded" if piece.excluded else "paused" if is_paused else None
        if piece.older is not None:
            yield Counted(piece.older, certain or "missed")
        for instant in piece.instants:
            skip = certain or _skip(schedule, instant, now, caught_up, unfinished=unfinished)
            yield Verdict(instant, skip, skip is None and unfinished and waits_for_predecessor(schedule.overlap))
            unfinished = unfinished or skip is None


def _caught_up(schedule: Schedule, due: list[datetime], now: datetime) -> frozenset[datetime]:
    in_time = [instant for instant in due if not _too_late(schedule, instant, now)]
    missed = [instant for instant in in_time if (now - instant).total_seconds() > MISSED_AFTER]
    match schedule.catch_up:
        case "all" if schedule.overlap != "replace":
            return frozenset(missed[-MOST_CAUGHT_UP:])
        case "skip":
            return frozenset()
        case "latest" | "all":
            # A run that catches up would make the one due now be skipped, or be replaced by it.
            due_now = len(in_time) > len(missed)
            return frozenset() if due_now and _only_one_runs(schedule.overlap) else frozenset(missed[-1:])
        case _:
            assert_never(schedule.catch_up)


def _only_one_runs(overlap: Overlap) -> bool:
    match overlap:
        case "skip" | "replace":
            return True
        case "queue" | "allow":
            return False
        case _:
            assert_never(overlap)


def _skip(
    schedule: Schedule, instant: datetime, now: datetime, caught_up: Container[datetime], *, unfinished: bool
) -> SkipReason | None:
    """Return why an instant that is not paused does not run; None if it runs."""
    missed = (now - instant).total_seconds() > MISSED_AFTER
    if _too_late(schedule, instant, now) or (missed and instant not in caught_up):
        return "missed"
    match schedule.overlap:
        case "skip":
            return "overlap" if unfinished and not (missed and schedule.catch_up == "all") else None
        case "queue" | "replace" | "allow":
            return None
        case _:
            assert_never(schedule.overlap)


def _too_late(schedule: Schedule, instant: datetime, now: datetime) -> bool:
    return schedule.start_within is not None and (now - instant).total_seconds() > schedule.start_within


# The rows: one per instant, and a counted row for the rest of a long stretch
#
# A stretch is a series of instants that did not run for the same reason. Of those that come up at once the newest 1,000
# have a row each, and a counted one before them stands for all others; a stretch that grows beyond 1,000 goes on in a
# counted row behind them (rule 13).


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one instant: it is skipped, or runs, or runs behind an earlier run."""

    instant: datetime
    skip: SkipReason | None
    waits: bool = False

    @property
    def tally(self) -> Tally:
        return Tally(self.instant, self.instant, 1)


@dataclass(frozen=True, slots=True)
class Counted:
    """Instants that are skipped for one reason, and not looked at one by one."""

    tally: Tally
    skip: SkipReason


def fold(decided: Iterable[Verdict | Counted]) -> Iterator[Verdict | Counted]:
    """Yield what was decided, and of each stretch of skipped instants all but the newest 1,000 as one count."""
    for skip, stretch in groupby(decided, key=attrgetter("skip")):
        same = list(stretch)
        to_last_count = max((place for place, one in enumerate(same, 1) if isinstance(one, Counted)), default=0)
        beyond = 0 if skip is None else max(to_last_count, len(same) - LONGEST_STRETCH)
        if skip is not None and beyond:
            yield Counted(reduce(Tally.and_then, [one.tally for one in same[:beyond]]), skip)
        yield from same[beyond:]


def only_newest(decided: list[Verdict | Counted], *, waits: bool) -> list[Verdict | Counted]:
    """Let only the newest of those run that would, which replaces all others; ``waits``: behind one at work."""
    newest = max((one.instant for one in decided if isinstance(one, Verdict) and one.skip is None), default=None)

    def beside_newest(one: Verdict | Counted) -> Verdict | Counted:
        if isinstance(one, Counted):
            return one
        if one.instant == newest:
            return replace(one, waits=waits)
        return replace(one, skip=one.skip or "replaced", waits=False)

    return [beside_newest(one) for one in decided]


class Ledger:
    """Turns instants into rows, at most ``most_rows``; each instant has its place in one row. ``delay`` returns how long
    after an instant its run may start.
    """

    def __init__(self, delay: Callable[[datetime], timedelta], stretch: Stretch | None, most_rows: int | None) -> None:
        self._delay = delay
        self._most_rows = MOST_ROWS if most_rows is None else min(most_rows, MOST_ROWS)
        self._runs: list[PlannedRun] = []
        self._reason = stretch.reason if stretch else None
        self._length = stretch.count if stretch else 0
        self._counted_from = stretch.counted_from if stretch else None
        self._extends = self._counted_from is not None
        self._counted_to: datetime | None = None

    def enter(self, decided: Verdict | Counted) -> bool:
        """Give what was decided a row or add it to the counted one; return False if the plan is full."""
        if isinstance(decided, Counted):
            return self._count(decided)
        instant, skip = decided.instant, decided.skip
        goes_on = skip is not None and skip == self._reason
        beyond = goes_on and self._length >= LONGEST_STRETCH
        needs_row = not beyond or self._counted_to is None
        if needs_row and self.is_full:
            return False
        if not goes_on:
            self._end_stretch()
            self._reason = skip
        if skip is not None:
            self._length += 1
        if beyond:
            self._counted_from = self._counted_from or instant
            self._counted_to = instant
        else:
            self._runs.append(PlannedRun(instant, skip, instant + self._delay(instant), waits=decided.waits))
        return True

    def _count(self, counted: Counted) -> bool:
        """Add instants to the counted row that the stretch has, or give them one of their own."""
        goes_on = counted.skip == self._reason and self._counted_from is not None
        if self.is_full and not (goes_on and self._counted_to is not None):
            return False
        if counted.skip != self._reason:
            self._end_stretch()
            self._reason = counted.skip
        tally = counted.tally
        if self._counted_from is not None:
            self._length += tally.count
            self._counted_to = tally.last
        else:
            self._runs.append(self._counted_row(tally.first, tally.last, tally.count))
            self._length = 0
        return True

    @property
    def is_full(self) -> bool:
        """No instant has a place any more that needs a row."""
        return len(self._runs) + (self._counted_to is not None) >= self._most_rows

    @property
    def stretch(self) -> Stretch | None:
        """The stretch that goes on after the last instant."""
        return Stretch(self._reason, self._length, self._counted_from) if self._reason else None

    def runs(self) -> tuple[PlannedRun, ...]:
        return (*self._runs, *self._counted())

    def _end_stretch(self) -> None:
        self._runs += self._counted()
        self._reason, self._length = None, 0
        self._counted_from = self._counted_to = None
        self._extends = False

    def _counted(self) -> list[PlannedRun]:
        """Return the counted row behind the others, if this plan adds to one."""
        if self._counted_from is None or self._counted_to is None:
            return []
        row = self._counted_row(self._counted_from, self._counted_to, self._length - LONGEST_STRETCH)
        return [replace(row, extends=self._extends)]

    def _counted_row(self, first: datetime, last: datetime, count: int) -> PlannedRun:
        return PlannedRun(first, self._reason, first + self._delay(first), last_scheduled_for=last, count=count)


# The lease under which a run executes (rule 14)

_OWN = "run/"
"""How the names of leases begin that are no shared locks."""


@dataclass(frozen=True, slots=True)
class LeaseName:
    """``run/<application>/<schedule>``, or the shared `lock`; with `overlap = "allow"` ``…/<run id>``. Under a lock
    with several slots, that of the slot under which the claim puts it.

    Names never collide: those of applications and schedules have no ``/``, and a lock does not begin with ``run/``.
    """

    base: str
    per_run: bool
    queue: str | None = None
    """The queue in which it waits to be claimed (`definitions.values.queues`)."""

    def of_run(self, run_id: int) -> str:
        return f"{self.base}/{run_id}" if self.per_run else self.base


def lease_name(application: str, schedule: Schedule) -> LeaseName:
    """Return the lease name for a schedule's runs. Under a shared lock, no more overlap than it has slots."""
    queue = None if schedule.queue is None else schedule.queue.name
    if schedule.lock is not None:
        return LeaseName(schedule.lock.name, per_run=False, queue=queue)
    base = f"{_OWN}{application}/{schedule.name}"
    match schedule.overlap:
        case "allow":
            return LeaseName(base, per_run=True, queue=queue)
        case "skip" | "queue" | "replace":
            return LeaseName(base, per_run=False, queue=queue)
        case _:
            assert_never(schedule.overlap)


def is_shared(name: str) -> bool:
    """Return whether the lease of this name is a shared lock, which runs of any schedule may wait for."""
    return not name.startswith(_OWN)
