"""The cancel: the end of runs on request, of one or of those that were shown, whether they wait or are at work (rule 23)."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeVar, assert_never

from sqlalchemy import Connection, Row

import lease.statements

from ..errors import CannotAct
from ..states import UNFINISHED, RunState
from ..store import statements
from ..store.notices import WORK, Notice, notify, notify_each
from ..store.tables import ScheduleKey
from ..store.views.names import Called, missing_run
from ..text import when
from .requester import refuse_unrecordable
from .selection import Selection

MOST_AT_ONCE = 1_000
"""Runs that one transaction writes."""


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """A run that was shown."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    state: RunState

    @property
    def named(self) -> tuple[str, str]:
        """The application, and what its schedule is called."""
        return self.application, self.schedule


C = TypeVar("C", bound=ChosenRun)


def in_transactions(runs: Sequence[C]) -> Iterator[Sequence[C]]:
    """Return the runs in parts, each for a transaction of its own."""
    return (runs[start : start + MOST_AT_ONCE] for start in range(0, len(runs), MOST_AT_ONCE))


CancelOutcome = Literal["ended", "marked", "already", "over"]
"""What became of a run. ended: it waited, and is over; marked: it is at work, and ends as soon as its work has;
already: it was cancelled before; over: it had ended otherwise.
"""
_WRITTEN = {"ended", "marked"}


@dataclass(frozen=True, slots=True)
class CancelledRun(ChosenRun):
    """A run, and what its cancel came to, or would come to."""

    outcome: CancelOutcome


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A cancelled run: over at once, or marked, so that it ends as soon as its work has."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    """``cancelled``, or ``running`` while its job is being stopped."""
    already: bool
    """It was cancelled before, and nothing was written."""
    cancelled_by: str
    cancelled_why: str | None
    replica: str | None = None
    """The replica that stops the job, in a form for people; None if it holds the lease no more."""
    lease_expires_in: float | None = None
    """Seconds until its lease goes stale: another replica ends the run then, if its own is gone."""


def cancel(connection: Connection, run_id: int, *, requested_by: str, why: str | None = None) -> Cancellation:
    """End a run that waits as cancelled, and promote its successor; mark one that is at work.

    The mark wins: a marked run ends as cancelled even if its last job succeeds before the replica
    hears of the mark, because whoever was told "it is marked" must never find another end. What its
    jobs did stands in their own rows, and in the reason. Nobody waits for the replica: it hears by a
    notice, at the latest within `renew_every`, and stops the job as for a loss. A second cancel writes
    nothing.

    Raises `NotFound`, `CannotAct`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    row = statements.run.read(connection, run_id)
    done = row and _cancel(connection, {(row.application, row.schedule)}, [run_id], requested_by, why)
    if not row or not done:
        raise missing_run(connection, run_id)
    outcome, called = done[0].outcome, done[0].schedule
    if outcome in _WRITTEN:
        of = {"application": row.application, "schedule": row.schedule, "run_id": run_id}
        statements.acts.record(connection, "cancel", by=requested_by, why=why, **of)
    row = statements.run.read(connection, run_id)
    assert row is not None  # noqa: S101 - it is locked
    if outcome == "over":
        reason = f" ({row.reason})" if row.reason else ""
        raise CannotAct(
            f'run {run_id} of "{called}" has already ended and cannot be cancelled: {row.state} at '
            f"{when(row.finished_at)}{reason}"
        )
    held = None
    if row.state in UNFINISHED:
        held = lease.statements.reading([row.lease_name])(connection).get(row.lease_name)
        held = None if held is None or (held.token, held.holder) != (row.token, row.holder) else held
    return Cancellation(
        *(run_id, row.application, called, row.state, outcome == "already", row.cancelled_by, row.cancelled_why),
        replica=None if held is None else held.label,
        lease_expires_in=None if held is None else held.expires_in,
    )


def decide(state: RunState, *, marked: bool) -> CancelOutcome:
    """Return what becomes of a run in this state by a cancel. Pure.

    A run that waits although it is marked was put back by a replica that knows no marks.
    """
    match state:
        case "pending":
            return "ended"
        case "running":
            return "already" if marked else "marked"
        case "cancelled" if marked:
            return "already"
        case "succeeded" | "failed" | "cancelled" | "skipped":
            return "over"
        case _:
            assert_never(state)


def find_unfinished(connection: Connection, selected: Selection) -> list[CancelledRun]:
    """Return the runs that are not over, in the order in which they are cancelled, and what a cancel would do."""
    schedules = selected.schedules(connection, retired=True)
    return [_cancelled(row) for row in statements.run.find_unfinished(connection, schedules)]


def cancel_many(
    connection: Connection,
    runs: Sequence[ChosenRun],
    *,
    requested_by: str,
    why: str | None = None,
    of: str | None = None,
) -> list[CancelledRun]:
    """Cancel these runs, and no other of their schedules; see `cancel`. What they are runs ``of`` is recorded too.

    Raises `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    schedules = set(Called(connection).keys(run.named for run in runs))
    done = _cancel(connection, schedules, [run.run_id for run in runs], requested_by, why)
    names, counts = Called(connection), defaultdict[ScheduleKey, Counter[CancelOutcome]](Counter)
    for run in done:
        if run.outcome in _WRITTEN:
            counts[run.application, names.key(run.application, run.schedule)][run.outcome] += 1
    effects = [(*key, said(found) if of is None else f"{of}: {said(found)}") for key, found in counts.items()]
    at = statements.schedule.database_time(connection)
    statements.acts.record_of_each(connection, "cancel", effects, at=at, by=requested_by, why=why)
    return [replace(run, state="cancelled") if run.outcome == "ended" else run for run in done]


def _cancel(
    connection: Connection, of: Collection[ScheduleKey], ids: Sequence[int], by: str, why: str | None
) -> list[CancelledRun]:
    """Lock these schedules and then these runs, as all transactions do, and cancel them; return what became of each."""
    statements.claims.lock_schedules(connection, of, waits=True)
    done = [_cancelled(row) for row in statements.run.lock_many(connection, ids)]
    ended = [run for run in done if run.outcome == "ended"]
    marked = [run for run in done if run.outcome == "marked"]
    statements.run.mark_cancelled(connection, [run.run_id for run in (*ended, *marked)], by, why)
    if ended:
        statements.run.end_marked(connection, [run.run_id for run in ended])
        statements.claims.promote(connection, of)
    for application in sorted({run.application for run in ended}):
        notify(connection, application, WORK)
    for application in sorted({run.application for run in marked}):
        numbers = [run.run_id for run in marked if run.application == application]
        notify_each(connection, application, [Notice("cancel", number) for number in numbers])
    return done


def said(counts: Mapping[CancelOutcome, int]) -> str:
    """Return what became of runs in words: ``54 runs waited and are over, 3 runs at work are marked``."""
    words: dict[CancelOutcome, tuple[str, str]] = {
        "ended": ("1 waiting run ended", "{:,} waiting runs ended"),
        "marked": ("cancelling 1 running run", "cancelling {:,} running runs"),
        "already": ("1 was already cancelled", "{:,} were already cancelled"),
        "over": ("1 had already ended", "{:,} had already ended"),
    }
    parts = [(words[outcome], counts.get(outcome, 0)) for outcome in words]
    return ", ".join(one if count == 1 else more.format(count) for (one, more), count in parts if count)


def _cancelled(row: Row[Any]) -> CancelledRun:
    outcome = decide(row.state, marked=row.cancelled_at is not None)
    return CancelledRun(row.id, row.application, row.schedule, row.scheduled_for, row.state, outcome)
