"""The forgetting of what must not be kept of one run: its row stays, so that its instant is accounted for (rule 13)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, assert_never

from sqlalchemy import Connection, Row

from ..errors import CannotAct
from ..states import RunState
from ..store import statements
from ..store.views.names import Called, missing_run
from ..text import when
from .requester import refuse_unrecordable


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A run of which only the row is left, with its times and its end."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    already: bool
    """It was forgotten before, and nothing was written."""
    forgotten_by: str
    forgotten_at: datetime


def decide(state: RunState, *, forgotten: bool) -> Literal["forget", "nothing", "refuse"]:
    """Return what forgetting does to a run in this state. Pure."""
    match state:
        case "pending" | "running":
            return "refuse"
        case "succeeded" | "failed" | "cancelled" | "skipped":
            return "nothing" if forgotten else "forget"
        case _:
            assert_never(state)


def foreseen(connection: Connection, run_id: int) -> str:
    """Return what a run is called in the question whether to forget it. Raises `NotFound`, and `CannotAct`."""
    row, called = _over(connection, run_id, statements.run.read(connection, run_id))
    return f"run {run_id} of {called} ({row.application}), {row.state} at {when(row.finished_at)}"


def forget(connection: Connection, run_id: int, *, requested_by: str, why: str | None = None) -> Forgotten:
    """Delete the params of a run that is over, all reasons that people gave in it, and what its jobs printed,
    reported and failed with. That cannot be undone; a second time writes nothing.

    That it was done is recorded, with ``why``, which must not repeat what is to be forgotten. Raises `NotFound`,
    `CannotAct`, and `NotRecordable` for a name or reason that cannot be kept.
    """
    refuse_unrecordable(requested_by, why)
    found = statements.run.read(connection, run_id)
    if found is not None:
        statements.schedule.lock(connection, found.application, found.schedule)  # no retry takes its params meanwhile
        found = statements.run.lock(connection, run_id)
    row, called = _over(connection, run_id, found)
    already = row.forgotten_at is not None
    if not already:
        at = when(statements.schedule.database_time(connection))
        statements.keeping.forget(connection, run_id, requested_by, f"forgotten by {requested_by} at {at}")
        of = {"application": row.application, "schedule": row.schedule, "run_id": run_id}
        statements.keeping.forget_acts(connection, **of)
        statements.acts.record(connection, "forget", by=requested_by, why=why, **of)
    now = statements.run.read(connection, run_id)
    assert now is not None  # noqa: S101 - it is locked
    return Forgotten(run_id, row.application, called, row.state, already, now.forgotten_by, now.forgotten_at)


def _over(connection: Connection, run_id: int, row: Row[Any] | None) -> tuple[Row[Any], str]:
    """Return a run that is over, and what its schedule is called; raises `NotFound` and `CannotAct`."""
    if row is None:
        raise missing_run(connection, run_id)
    called = Called(connection).name(row.application, row.schedule)
    if decide(row.state, forgotten=row.forgotten_at is not None) == "refuse":
        raise CannotAct(
            f'run {run_id} of "{called}" is {row.state} and cannot be forgotten yet; wait until it ends, or cancel '
            f"it with `leased cancel {run_id}`"
        )
    return row, called
