"""The cancel: the end of a run on request, whether it waits or is at work (rule 23)."""

from dataclasses import dataclass
from typing import Any, Literal, assert_never

from sqlalchemy import Connection, Row

import lease.statements

from ..errors import DaemonError, NotFound
from ..states import UNFINISHED, RunState
from ..store import statements
from ..store.notices import WORK, Notice, notify
from ..store.views import Called, missing_run
from ..text import when
from .requester import refuse_unrecordable

CancelStep = Literal["end", "mark", "nothing", "refuse"]


class NoSuchRun(NotFound):
    """There is no run of this number."""


class RunIsOver(DaemonError):
    """The run ended before it could be cancelled."""


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

    Raises `NoSuchRun`, `RunIsOver`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    row = _locked(connection, run_id)
    act = decide(row.state, marked=row.cancelled_at is not None)
    match act:
        case "refuse":
            raise RunIsOver(_over(row, Called(connection).name(row.application, row.schedule)))
        case "end" | "mark":
            statements.cancel.mark(connection, run_id, requested_by, why)
            if act == "end":
                statements.cancel.end_pending(connection, [run_id])
                statements.ends.promote(connection, {(row.application, row.schedule)})
            statements.acts.record(
                connection,
                "cancel",
                by=requested_by,
                application=row.application,
                schedule=row.schedule,
                run_id=run_id,
                why=why,
            )
            notify(connection, row.application, WORK if act == "end" else Notice("cancel", run_id))
        case "nothing":
            pass
        case _:
            assert_never(act)
    return _cancellation(connection, run_id, already=act == "nothing")


def decide(state: RunState, *, marked: bool) -> CancelStep:
    """Return what a cancel does to a run in this state. Pure.

    A run that waits although it is marked was put back by a replica that knows no marks.
    """
    match state:
        case "pending":
            return "end"
        case "running":
            return "nothing" if marked else "mark"
        case "cancelled" if marked:
            return "nothing"
        case "succeeded" | "failed" | "cancelled" | "skipped":
            return "refuse"
        case _:
            assert_never(state)


def _locked(connection: Connection, run_id: int) -> Row[Any]:
    """Lock the schedule of a run and then the run, as all transactions do, and return it."""
    row = statements.run.read(connection, run_id)
    if row is not None:
        statements.schedule.lock(connection, row.application, row.schedule)
        row = statements.cancel.lock(connection, run_id)
    if row is None:
        raise NoSuchRun(str(missing_run(connection, run_id)))
    return row


def _cancellation(connection: Connection, run_id: int, *, already: bool) -> Cancellation:
    row = statements.run.read(connection, run_id)
    assert row is not None  # noqa: S101 - it is locked
    record = lease.statements.read(connection, [row.lease_name]).get(row.lease_name)
    held = record is not None and row.state in UNFINISHED and (record.token, record.holder) == (row.token, row.holder)
    return Cancellation(
        run_id,
        row.application,
        Called(connection).name(row.application, row.schedule),
        row.state,
        already,
        row.cancelled_by,
        row.cancelled_why,
        replica=record.label if record is not None and held else None,
        lease_expires_in=record.expires_in if record is not None and held else None,
    )


def _over(row: Row[Any], called: str) -> str:
    reason = f" ({row.reason})" if row.reason else ""
    return f'run {row.id} of "{called}" has already ended and cannot be cancelled: {row.state} at {when(row.finished_at)}{reason}'
