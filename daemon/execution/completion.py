"""The writes of a holder while it executes a run, and at its end; each proves its grant.

Rules 10, 14, 15 and 16. Under a grant that has ended no row is changed, and the answer says who has
the run now. A write whose answer was lost may be repeated: it recognizes its own success. An end is
one transaction: lease, run and job run, and the successor becomes due.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

import lease.statements

from ..jobs.outcome import Outcome
from ..jobs.output.transcript import Piece
from ..jobs.processes.identity import ProcessIdentity
from ..jobs.reports import LONGEST_ERROR, LONGEST_MESSAGE, Progress
from ..states import UNFINISHED, EndState, RunState
from ..store import statements
from .claim import ClaimedRun
from .write_result import (
    AlreadyDone,
    Done,
    EndedJob,
    Marked,
    NothingWritten,
    NotOurs,
    cancelled,
    job_run_state,
    job_run_values,
    not_ours,
    require_one_row,
    truncate_for_db,
)

__all__ = [
    "AlreadyDone",
    "Done",
    "EndedJob",
    "Marked",
    "NotOurs",
    "NothingWritten",
    "finish_job",
    "finish_run",
    "hand_back",
    "leave_word",
    "record_keeper",
    "retry_run",
    "save_output",
    "save_progress",
    "start_job",
]

LOCK_WAIT = 1.5
"""Seconds to wait for transactions that are fenced with the grant that is to end."""

# While it runs


def start_job(
    connection: Connection, claimed: ClaimedRun, job: str, position: int, attempt: int
) -> int | NotOurs | Marked:
    """Record the start of an attempt; return the id of its job run."""
    grant = claimed.grant
    if not statements.job_run.hold(connection, grant):
        return not_ours(connection, claimed.run_id, grant)
    started = statements.job_run.start(
        connection, claimed.run_id, grant, job=job, position=position, attempt=attempt
    ) or statements.job_run.find_started(connection, claimed.run_id, grant, job, attempt)
    if started is None:
        row = statements.run.read(connection, claimed.run_id)
        if row is not None and row.cancelled_at is not None:
            return Marked()
        raise NothingWritten(f'run {claimed.run_id}: attempt {attempt} of job "{job}" already exists')
    return started


def record_keeper(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, keeper: ProcessIdentity
) -> Done | NotOurs:
    """Record the keeper of a child, before the child runs (rule 18)."""
    if not statements.job_run.hold(connection, claimed.grant):
        return not_ours(connection, claimed.run_id, claimed.grant)
    changed = statements.job_run.set_keeper(connection, job_run_id, claimed.grant, keeper.pid, keeper.start_time)
    require_one_row(changed, claimed.run_id, f"the keeper of job run {job_run_id}")
    return Done()


def save_progress(connection: Connection, holder: str, progress: Mapping[int, Progress]) -> frozenset[int]:
    """Record the progress of jobs; return the job runs that are over or no longer the holder's."""
    refused = set()
    for job_run_id in sorted(progress):
        latest = progress[job_run_id]
        message = truncate_for_db(latest.message, LONGEST_MESSAGE)
        values = {"done": latest.done, "total": latest.total, "message": message}
        if not statements.job_run.set_progress(connection, job_run_id, holder, values):
            refused.add(job_run_id)
    return frozenset(refused)


def save_output(connection: Connection, holder: str, pieces: Mapping[int, Piece]) -> frozenset[int]:
    """Save what jobs printed, all of it in one statement; return the job runs that are over or no longer
    the holder's.
    """
    if not pieces:
        return frozenset()
    rows = [
        {"number": job_run_id, "begins": piece.start, "lines_before": piece.line, "printed": piece.text}
        for job_run_id, piece in sorted(pieces.items())
    ]
    refused = statements.job_run.save_output(connection, holder, rows)
    surplus = {number: piece.keep_from for number, piece in pieces.items() if number not in refused}
    statements.job_run.delete_output(connection, {n: start for n, start in surplus.items() if start is not None})
    return refused


def finish_job(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, outcome: Outcome
) -> Done | AlreadyDone | NotOurs:
    """Record the end of a job after which the run goes on; `finish_run` records the last one."""
    grant = claimed.grant
    if not statements.job_run.hold(connection, grant):
        return not_ours(connection, claimed.run_id, grant)
    if outcome.state == "succeeded":
        statements.run.reset_abandoned(connection, claimed.run_id, grant)
    if not statements.job_run.end(connection, job_run_id, grant, job_run_state(outcome), job_run_values(outcome)):
        before = statements.job_run.read(connection, job_run_id)
        if before is not None and (before.token, before.holder) == (grant.token, grant.holder):
            return AlreadyDone(before.state)
        raise NothingWritten(f"run {claimed.run_id} has no job run {job_run_id} under token {grant.token}")
    return Done()


def leave_word(
    connection: Connection,
    claimed: ClaimedRun,
    job: EndedJob,
    *,
    wait: float,
    reason: str | None,
    not_started: Sequence[tuple[str, int]],
) -> Done | NotOurs:
    """Record how an attempt must end that only the end of this process can end (rules 9 and 25).

    Whoever settles the run then ends the attempt as failed, and the run too if there is a ``reason``.
    """
    grant = claimed.grant
    if not statements.job_run.hold(connection, grant):
        return not_ours(connection, claimed.run_id, grant)
    statements.run.leave_word(connection, claimed.run_id, grant, wait, truncate_for_db(reason, LONGEST_ERROR))
    changed = statements.job_run.leave_word(connection, job.job_run_id, grant, job_run_values(job.outcome))
    require_one_row(changed, claimed.run_id, f"the word about job run {job.job_run_id}")
    if not_started:
        statements.job_run.add_not_started(connection, claimed.run_id, grant, not_started)
    return Done()


# Writes that end the run


def finish_run(
    connection: Connection,
    claimed: ClaimedRun,
    state: EndState,
    reason: str | None = None,
    *,
    job: EndedJob | None = None,
    not_started: Sequence[tuple[str, int]] = (),
) -> Done | AlreadyDone | NotOurs:
    """Write the end of the run, of its last job run and of its lease.

    ``not_started`` are the jobs (name, position) that are left out. A state other than succeeded
    needs a reason. A run that is marked ends as cancelled instead.
    """
    locked = statements.schedule.lock(connection, claimed.application, claimed.schedule)
    released = _release(connection, claimed, (state,))
    if not isinstance(released, lease.statements.Release):
        return released
    shown = truncate_for_db(reason, LONGEST_ERROR)
    written = _written(statements.run.end(connection, claimed.run_id, claimed.grant, state, shown), claimed)
    _end_job(connection, claimed, job)
    if written.state == "succeeded" and locked is not None and locked.abandoned:
        statements.schedule.reset_abandoned(connection, claimed.application, claimed.schedule)
    if not_started:
        statements.job_run.add_not_started(connection, claimed.run_id, claimed.grant, not_started)
    statements.run.promote(connection, claimed.application, claimed.schedule)
    return Done(released.waiting, cancelled(written))


def retry_run(
    connection: Connection, claimed: ClaimedRun, wait: float, reason: str | None = None, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    """Put the run back to pending for ``wait`` seconds, in which it holds no lease.

    A run that is marked ends as cancelled instead (rule 23).
    """
    statements.schedule.lock(connection, claimed.application, claimed.schedule)
    released = _release(connection, claimed, ("pending",))
    if not isinstance(released, lease.statements.Release):
        return released
    written = _written(statements.run.put_back(connection, claimed.run_id, claimed.grant, wait, reason), claimed)
    _end_job(connection, claimed, job)
    if written.state != "pending":
        statements.run.promote(connection, claimed.application, claimed.schedule)
    return Done(released.waiting, cancelled(written))


def hand_back(
    connection: Connection, claimed: ClaimedRun, reason: str | None = None, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    """Put the run back to pending, for any replica to claim at once: this one stops."""
    return retry_run(connection, claimed, 0.0, reason, job=job)


def _release(
    connection: Connection, claimed: ClaimedRun, ends: tuple[RunState, ...]
) -> lease.statements.Release | AlreadyDone | NotOurs:
    """End the grant, or return why it had ended before.

    The schedule must be locked: its other runs depend on this one.
    """
    released = lease.statements.release(connection, claimed.grant, lock_wait=LOCK_WAIT)
    if released.released:
        return released
    row = statements.run.read(connection, claimed.run_id)
    ours = row is not None and (row.token, row.holder) == (claimed.grant.token, claimed.grant.holder)
    if row is not None and ours and (row.state in ends or row.state not in UNFINISHED):
        return AlreadyDone(row.state, cancelled(row))
    return not_ours(connection, claimed.run_id, claimed.grant)


def _written(row: Row[Any] | None, claimed: ClaimedRun) -> Row[Any]:
    if row is None:
        raise NothingWritten(f"run {claimed.run_id} is not running under token {claimed.grant.token} of its lease")
    return row


def _end_job(connection: Connection, claimed: ClaimedRun, job: EndedJob | None) -> None:
    if job is None:
        # An attempt that never ran may be recorded as running: the answer to `start_job` was lost.
        statements.job_run.stop_all(connection, claimed.run_id, claimed.grant)
        return
    changed = statements.job_run.end(
        connection, job.job_run_id, claimed.grant, job_run_state(job.outcome), job_run_values(job.outcome)
    )
    require_one_row(changed, claimed.run_id, f"the end of job run {job.job_run_id}")
