"""The pause, the resumption and the cancel of a backfill as a whole (rule 23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from ...errors import DaemonError, NotFound
from ...store import statements
from ...store.notices import WORK, notify
from ...store.views import Called
from ..many.cancel import CancelledRun, cancel_many
from ..many.chosen import ChosenRun
from ..requester import refuse_unrecordable


class NoSuchBackfill(NotFound):
    """There is no backfill of this number."""


class BackfillIsOver(DaemonError):
    """None of its runs waits any more, so nothing of it can be paused or cancelled."""


@dataclass(frozen=True, slots=True)
class ChangedBackfill:
    """A backfill to which something was done."""

    backfill_id: int
    application: str
    schedule: str
    paused: bool
    cancelled: bool
    already: bool
    """It was so before, and nothing was written."""
    runs: Sequence[CancelledRun]
    """The runs that were cancelled with it, and what that came to."""


def pause_backfill(
    connection: Connection, backfill_id: int, *, requested_by: str, why: str | None = None
) -> ChangedBackfill:
    """Let no further run of a backfill take its place until it is resumed; one that has its place goes on.

    Raises `NoSuchBackfill`, `BackfillIsOver`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    row = _locked(connection, backfill_id, requested_by, why)
    if row.paused_at is None:
        _refuse_over(row, _called(connection, row))
        statements.backfills.change(connection, backfill_id, {"paused_at": _now(connection)})
        _record(connection, row, "is paused", requested_by, why)
    return _changed(connection, row, already=row.paused_at is not None)


def resume_backfill(
    connection: Connection, backfill_id: int, *, requested_by: str, why: str | None = None
) -> ChangedBackfill:
    """End the pause of a backfill: its runs take their places again. Raises what `pause_backfill` does."""
    row = _locked(connection, backfill_id, requested_by, why)
    if row.paused_at is not None:
        _refuse_over(row, _called(connection, row))
        statements.backfills.change(connection, backfill_id, {"paused_at": None})
        _record(connection, row, "is resumed", requested_by, why)
        notify(connection, row.application, WORK)
    return _changed(connection, row, already=row.paused_at is None)


def cancel_backfill(
    connection: Connection, backfill_id: int, *, requested_by: str, why: str | None = None
) -> ChangedBackfill:
    """Cancel all runs of a backfill that are not over: those that wait end at once, those at work are marked. Raises
    what `pause_backfill` does.
    """
    row = _locked(connection, backfill_id, requested_by, why)
    if row.cancelled_at is not None:
        return _changed(connection, row, already=True)
    found = statements.backfills.unfinished_runs(connection, backfill_id)
    if not found:
        raise BackfillIsOver(
            f'backfill {backfill_id} of "{_called(connection, row)}" has finished: it has no run left to cancel'
        )
    statements.backfills.change(connection, backfill_id, {"cancelled_at": _now(connection)})
    of = f"backfill {backfill_id}"
    done = cancel_many(connection, [ChosenRun(*tuple(one)) for one in found], requested_by=requested_by, why=why, of=of)
    return _changed(connection, row, already=False, runs=done)


def _locked(connection: Connection, backfill_id: int, by: str, why: str | None) -> Row[Any]:
    """Lock the schedule of a backfill, and return the backfill."""
    refuse_unrecordable(by, why)
    row = statements.backfills.read(connection, backfill_id)
    if row is not None:
        statements.schedule.lock(connection, row.application, row.schedule)
        row = statements.backfills.read(connection, backfill_id)
    if row is None:
        raise NoSuchBackfill(f"there is no backfill {backfill_id}; `leased backfills` lists them")
    return row


def _refuse_over(row: Row[Any], called: str) -> None:
    of = f'backfill {row.id} of "{called}"'
    if row.cancelled_at is not None:
        raise BackfillIsOver(f"{of} was cancelled, so none of its runs waits; start a new one with `leased backfill`")
    if row.placed_at is not None:
        raise BackfillIsOver(f"{of} has no waiting runs left; `leased cancel RUN` stops a running one")


def _now(connection: Connection) -> Any:
    return statements.schedule.database_time(connection)


def _record(connection: Connection, row: Row[Any], what: str, by: str, why: str | None) -> None:
    """Record it as an act on the backfill: a pause of the schedule would be another thing."""
    statements.acts.record(
        connection,
        "backfill",
        by=by,
        application=row.application,
        schedule=row.schedule,
        why=why,
        effect=f"backfill {row.id} {what}",
    )


def _changed(
    connection: Connection, row: Row[Any], *, already: bool, runs: Sequence[CancelledRun] = ()
) -> ChangedBackfill:
    now = statements.backfills.read(connection, row.id) or row
    paused, cancelled = now.paused_at is not None, now.cancelled_at is not None
    return ChangedBackfill(row.id, row.application, _called(connection, row), paused, cancelled, already, runs)


def _called(connection: Connection, row: Row[Any]) -> str:
    return Called(connection).name(row.application, row.schedule)
