"""The results of a holder's write: done, already done, marked, passed over, or not ours (rule 10);
and the values of an ended job.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant
from lease.waiters import Waiters

from ...errors import DaemonError
from ...jobs.reports import LONGEST_ERROR, Outcome
from ...states import JobState, RunState
from ...store import statements


class NothingWritten(DaemonError):
    """The grant is in force, but the rows are not as it left them.

    Raised, it rolls the transaction back. As the answer to one write of a set it fails that one alone.
    """


@dataclass(frozen=True, slots=True)
class Done:
    """The write took effect."""

    waiting: Waiters = ()
    """The clients that wait for the lease: notify after the commit (rule 15)."""
    cancelled: str | None = None
    """The reason, if the run was marked: it has ended as cancelled instead (rule 23)."""
    promoted: bool = field(default=False, compare=False)
    """The run behind it may start: notify after the commit (rule 24)."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """This very attempt wrote it before, and the answer was lost."""

    state: RunState | JobState
    cancelled: str | None = None
    """As in `Done`."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The run is marked as cancelled: no job of it may start (rule 23)."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A row of it is locked by another transaction, and nothing was written; try again."""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """The grant has ended, and nothing was written."""

    who: str
    """A sentence that says who has the run now."""


@dataclass(frozen=True, slots=True)
class EndedJob:
    job_run_id: int
    outcome: Outcome


def cancelled(state: str, reason: str | None) -> str | None:
    """Return the reason of a run that was ended as cancelled; None of any other."""
    return reason if state == "cancelled" else None


def require_one_row(changed: int, run_id: int, what: str) -> None:
    """Raise NothingWritten unless one row was changed."""
    if changed != 1:
        raise NothingWritten(f"run {run_id}: {what} should have changed one row but changed {changed}")


def not_ours(connection: Connection, run_id: int, grant: Grant) -> NotOurs:
    """Return who has the run now that the grant has ended."""
    row = statements.run.read(connection, run_id)
    record = lease.statements.reading([grant.name])(connection).get(grant.name)
    if row is None:
        return NotOurs(f"run {run_id} no longer exists")
    if row.state == "running" and (row.token, row.holder) != (grant.token, grant.holder):
        label = record.label if record is not None and record.holder == row.holder else None
        return NotOurs(f"run {run_id} is running under token {row.token}, held by {label or row.holder}")
    if record is not None and record.holder is not None:
        return NotOurs(
            f"the lease {grant.name!r} has token {record.token} and is held by {record.label or record.holder}; "
            f"run {run_id} is {row.state}"
        )
    return NotOurs(f"the grant with token {grant.token} has ended; run {run_id} is {row.state}")


def job_run_state(outcome: Outcome) -> JobState:
    """Return the state to write; an attempt that lost its lease but may still write was stopped, and
    so was one that ran nothing.
    """
    match outcome.state:
        case "lost" | "not run" | "no room":
            return "stopped"
        case state:
            return state


def job_run_row(job: EndedJob, grant: Grant) -> tuple[Any, ...]:
    """Return the end of an attempt under a grant, as `statements.ends.end_jobs` takes it."""
    values = {
        "number": job.job_run_id,
        "token": grant.token,
        "holder": grant.holder,
        "state": job_run_state(job.outcome),
        **job_run_values(job.outcome),
    }
    return tuple(values[name] for name in statements.ends.ENDED_JOB)


def job_run_values(outcome: Outcome) -> dict[str, Any]:
    """Return the columns of `job_run` that an outcome sets, beside the state."""
    tail = outcome.tail
    return {
        "error": truncate_for_db(outcome.error, LONGEST_ERROR),
        "log_tail": None if tail is None else tail.text,
        "tail_start": None if tail is None else tail.start,
        "tail_line": None if tail is None else tail.line,
        "exit_status": outcome.status,
        "exit_signal": outcome.signal,
        "peak_memory": outcome.peak_memory,
    }


def truncate_for_db(text: str | None, most: int) -> str | None:
    """Return the last ``most`` characters of a text, without those that a database refuses."""
    if text is None:
        return None
    return text[-most:].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
