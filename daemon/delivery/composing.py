"""What a message says, with why it is so: what reads that takes 3 MB, so that only a replica with targets loads it at its start.

A message that other definitions have asked for loads it when it is sent.
"""

from typing import Any

from sqlalchemy import Connection, Row

from lease.errors import LeaseError

from ..answers.questions import explain_schedule
from ..operations.why import Explanation, Moments, read_why_run
from ..store.statements.schedule import database_time
from ..store.views.output import tails
from ..text import counted
from .message import Message

_SAID = {
    "run.abandoned": "an attempt of run {run} of {schedule} was abandoned, because its process died; ",
    "run.late": "run {run} of {schedule} has not succeeded by its deadline; ",
    "run.long": "run {run} of {schedule} takes long; ",
    "run.stalled": "a job of run {run} of {schedule} hung and was stopped; ",
    "schedule.missed": "{schedule} missed {times}; ",
    "schedule.retired": "{schedule} was retired; ",
    "schedule.recovered": "{schedule} succeeded again; ",
}


def composed(
    connection: Connection, row: Row[Any], folded: int, *, takeover_after: float, pages: str | None
) -> Message:
    """Return the message of a row of the outbox, which stands for ``folded`` others too."""
    found, output = None, ""
    try:
        found = _why(connection, row, takeover_after)
        output = "\n".join(tails(connection, row.run_id).values()) if row.kind == "ping.fail" else ""
    except LeaseError:
        raise
    except Exception:  # noqa: BLE001, S110 - it was pruned, say: the message says what it can
        pass
    begins = _SAID.get(row.kind, "{schedule}: " if found is None else "")
    begins = begins.format(run=row.run_id, schedule=row.called, times=counted(row.times, "scheduled time"))
    return Message(
        row.id,
        row.kind,
        row.application,
        row.called,
        row.run_id,
        row.created_at,
        begins + (row.kind if found is None else found.text),
        () if found is None else found.next,
        row.times,
        folded,
        output,
        pages,
    )


def _why(connection: Connection, row: Row[Any], takeover_after: float) -> Explanation:
    moments = Moments(database_time(connection))
    if row.run_id is not None:
        return read_why_run(connection, row.run_id, moments)
    return explain_schedule(connection, row.called, row.application, takeover_after, moments)
