"""The cancel of many runs: those that wait end at once, those at work are marked (rule 23)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, assert_never

from sqlalchemy import Connection, Row

from ...store import statements
from ...store.notices import WORK, Notice, notify, notify_each
from ...store.schedule_key import ScheduleKey
from ...store.views import Called
from ..cancel import decide
from ..requester import refuse_unrecordable
from .chosen import Choice, ChosenRun, keys_of

CancelOutcome = Literal["ended", "marked", "already", "over"]
"""What became of a run. ended: it waited, and is over; marked: it is at work, and ends as soon as its work has;
already: it was cancelled before; over: it had ended otherwise.
"""


@dataclass(frozen=True, slots=True)
class CancelledRun(ChosenRun):
    """A run, and what its cancel came to, or would come to."""

    outcome: CancelOutcome


def find_unfinished(connection: Connection, choice: Choice) -> list[CancelledRun]:
    """Return the runs that are not over and what a cancel would do, in the order in which it is done; nothing is
    written. Raises `NotFound`.
    """
    schedules = choice.schedules(connection, retired=True)
    return [_cancelled(row) for row in statements.cancels.find_unfinished(connection, schedules)]


def cancel_many(
    connection: Connection,
    runs: Sequence[ChosenRun],
    *,
    requested_by: str,
    why: str | None = None,
    of: str | None = None,
) -> list[CancelledRun]:
    """Cancel these runs, and no other of their schedules, in this transaction; see `cancel`. Return what became of
    each. What they are runs ``of`` is recorded too.

    Raises `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    keys = keys_of(connection, runs)
    statements.ends.lock_schedules(connection, keys, waits=True)
    done = [_cancelled(row) for row in statements.cancels.lock(connection, [run.run_id for run in runs])]
    ended = [run.run_id for run in done if run.outcome == "ended"]
    marked = [run for run in done if run.outcome == "marked"]
    statements.cancels.mark(connection, [*ended, *(run.run_id for run in marked)], requested_by, why)
    statements.cancel.end_pending(connection, ended)
    statements.ends.promote(connection, keys)
    _record(connection, done, requested_by, why, of)
    for application in sorted({run.application for run in done if run.outcome == "ended"}):
        notify(connection, application, WORK)
    for application in sorted({run.application for run in marked}):
        numbers = [run.run_id for run in marked if run.application == application]
        notify_each(connection, application, [Notice("cancel", number) for number in numbers])
    return [replace(run, state="cancelled") if run.outcome == "ended" else run for run in done]


def _record(connection: Connection, done: Sequence[CancelledRun], by: str, why: str | None, of: str | None) -> None:
    """Record one act for each schedule of which a run was cancelled."""
    names = Called(connection)
    counts: dict[ScheduleKey, Counter[CancelOutcome]] = {}
    for run in done:
        if run.outcome in {"ended", "marked"}:
            key = run.application, names.key(run.application, run.schedule)
            counts.setdefault(key, Counter())[run.outcome] += 1
    for (application, name), outcomes in counts.items():
        effect = said(outcomes) if of is None else f"{of}: {said(outcomes)}"
        statements.acts.record(
            connection, "cancel", by=by, application=application, schedule=name, why=why, effect=effect
        )


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
    act = decide(row.state, marked=row.cancelled_at is not None)
    outcome: CancelOutcome
    match act:
        case "end":
            outcome = "ended"
        case "mark":
            outcome = "marked"
        case "nothing":
            outcome = "already"
        case "refuse":
            outcome = "over"
        case _:
            assert_never(act)
    return CancelledRun(row.id, row.application, row.schedule, row.scheduled_for, row.state, outcome)
