"""The answers to a holder's write: done, done before, or not ours; and what is written of an ended job (rule 10)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant

from ..errors import DaemonError
from ..jobs.outcome import Outcome
from ..jobs.reports import LONGEST_ERROR
from ..states import JobState
from ..store import statements

LONGEST_TAIL = 16 * 1024


class NothingWritten(DaemonError):
    """The grant is in force and yet the rows are not as it left them; the transaction must be rolled back."""


@dataclass(frozen=True, slots=True)
class Done:
    """It is written."""

    awaited: bool = False
    """Somebody waits for the lease: notify after the commit (rule 15)."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """It was written before, by this very attempt, and its answer was lost."""

    state: str


@dataclass(frozen=True, slots=True)
class NotOurs:
    """The grant has ended; nothing was written."""

    who: str
    """A sentence: who has the run now."""


@dataclass(frozen=True, slots=True)
class EndedJob:
    """The job run whose end belongs to the end of its run's attempt."""

    job_run_id: int
    outcome: Outcome


def once(changed: int, run_id: int, what: str) -> None:
    if changed != 1:
        raise NothingWritten(f"run {run_id}: {what} should have changed one row, and changed {changed}")


def not_ours(connection: Connection, run_id: int, grant: Grant) -> NotOurs:
    row = statements.run.read(connection, run_id)
    record = lease.statements.read(connection, [grant.name]).get(grant.name)
    if row is None:
        return NotOurs(f"run {run_id} is not there any more")
    if row.state == "running" and (row.token, row.holder) != (grant.token, grant.holder):
        label = record.label if record is not None and record.holder == row.holder else None
        return NotOurs(f"run {run_id} runs under token {row.token}, held by {label or row.holder}")
    if record is not None and record.holder is not None:
        return NotOurs(
            f"the lease {grant.name!r} has token {record.token} and is held by {record.label or record.holder}; "
            f"run {run_id} is {row.state}"
        )
    return NotOurs(f"the grant with token {grant.token} was ended; run {run_id} is {row.state}")


def job_state(outcome: Outcome) -> JobState:
    """An attempt that lost its lease and may yet write was stopped, as one that was told to end."""
    return "stopped" if outcome.state == "lost" else outcome.state


def told(outcome: Outcome) -> dict[str, Any]:
    return {
        "error": fit(outcome.error, LONGEST_ERROR),
        "log_tail": fit(outcome.tail, LONGEST_TAIL) or None,
        "exit_status": outcome.status,
        "exit_signal": outcome.signal,
    }


def fit(text: str | None, most: int) -> str | None:
    """Return the end of a text in a form that every database takes."""
    if text is None:
        return None
    return text[-most:].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
