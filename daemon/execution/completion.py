"""What a holder writes while it executes a run, and at its end; each write proves its grant (rules 10, 14, 15 and 16).

A grant that has ended changes no row, and the answer says who has the run now. A write whose answer was lost may be repeated:
it knows its own success. An end is one transaction: lease, run and job run, and the successor becomes due.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

import lease.statements

from ..jobs.outcome import Outcome
from ..jobs.processes.identity import ProcessIdentity
from ..jobs.reports import LONGEST_ERROR, LONGEST_MESSAGE, Progress
from ..scheduling.lease_names import rename_leases
from ..states import UNFINISHED, EndState, RunState
from ..store import statements
from .claim import ClaimedRun
from .write_result import AlreadyDone, Done, EndedJob, NothingWritten, NotOurs, fit, job_state, not_ours, once, told

__all__ = [
    "AlreadyDone",
    "Done",
    "EndedJob",
    "NotOurs",
    "NothingWritten",
    "finish_job",
    "finish_run",
    "hand_back",
    "record_keeper",
    "retry_run",
    "save_progress",
    "start_job",
]

LOCK_WAIT = 1.5
"""Seconds to wait for transactions that are fenced with the grant that ends."""

# While it runs


def start_job(connection: Connection, claimed: ClaimedRun, job: str, position: int, attempt: int) -> int | NotOurs:
    """Record that an attempt of a job begins; return the id of its job run."""
    grant = claimed.grant
    if not statements.job_run.hold(connection, grant):
        return not_ours(connection, claimed.run_id, grant)
    started = statements.job_run.start(
        connection, claimed.run_id, grant, job=job, position=position, attempt=attempt
    ) or statements.job_run.begun(connection, claimed.run_id, grant, job, attempt)
    if started is None:
        raise NothingWritten(f'run {claimed.run_id}: attempt {attempt} of job "{job}" was there before')
    return started


def record_keeper(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, keeper: ProcessIdentity
) -> Done | NotOurs:
    """Record who keeps a child, before the child runs (rule 18)."""
    if not statements.job_run.hold(connection, claimed.grant):
        return not_ours(connection, claimed.run_id, claimed.grant)
    changed = statements.job_run.set_keeper(connection, job_run_id, claimed.grant, keeper.pid, keeper.start_time)
    once(changed, claimed.run_id, f"the keeper of job run {job_run_id}")
    return Done()


def save_progress(connection: Connection, holder: str, progress: Mapping[int, Progress]) -> frozenset[int]:
    """Record how far jobs have come; return the job runs that are not this holder's any more, or are over."""
    refused = set()
    for job_run_id in sorted(progress):
        told = progress[job_run_id]
        message = fit(told.message, LONGEST_MESSAGE)
        values = {"done": told.done, "total": told.total, "message": message}
        if not statements.job_run.set_progress(connection, job_run_id, holder, values):
            refused.add(job_run_id)
    return frozenset(refused)


def finish_job(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, outcome: Outcome
) -> Done | AlreadyDone | NotOurs:
    """Record the end of a job after which the run goes on; the last one is recorded by `finish_run`."""
    grant = claimed.grant
    if not statements.job_run.hold(connection, grant):
        return not_ours(connection, claimed.run_id, grant)
    if outcome.state == "succeeded":
        statements.run.progressed(connection, claimed.run_id, grant)
    if not statements.job_run.end(connection, job_run_id, grant, job_state(outcome), told(outcome)):
        before = statements.job_run.read(connection, job_run_id)
        if before is not None and (before.token, before.holder) == (grant.token, grant.holder):
            return AlreadyDone(before.state)
        raise NothingWritten(f"run {claimed.run_id} has no job run {job_run_id} under token {grant.token}")
    return Done()


# Its ends


def finish_run(
    connection: Connection,
    claimed: ClaimedRun,
    state: EndState,
    reason: str | None = None,
    *,
    job: EndedJob | None = None,
    not_started: Sequence[tuple[str, int]] = (),
) -> Done | AlreadyDone | NotOurs:
    """End the run, its last job run and its lease; ``not_started`` are the jobs (name, position) left out.

    A state other than succeeded needs a reason.
    """
    released = _release(connection, claimed, (state,))
    if not isinstance(released, lease.statements.Release):
        return released
    changed = statements.run.end(connection, claimed.run_id, claimed.grant, state, fit(reason, LONGEST_ERROR))
    once(changed, claimed.run_id, "the run's end")
    _end_job(connection, claimed, job)
    if not_started:
        statements.job_run.add_not_started(connection, claimed.run_id, claimed.grant, not_started)
    statements.run.promote(connection, claimed.application, claimed.schedule)
    return Done(released.awaited)


def retry_run(
    connection: Connection, claimed: ClaimedRun, wait: float, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    """Let the run go on after ``wait`` seconds, in which it holds no lease."""
    released = _release(connection, claimed, ("pending",))
    if not isinstance(released, lease.statements.Release):
        return released
    once(statements.run.put_back(connection, claimed.run_id, claimed.grant, wait), claimed.run_id, "the run's way back")
    rename_leases(connection, claimed.application, claimed.schedule)
    _end_job(connection, claimed, job)
    return Done(released.awaited)


def hand_back(
    connection: Connection, claimed: ClaimedRun, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    """Let the run go on at once, wherever it is claimed next: this replica stops."""
    return retry_run(connection, claimed, 0.0, job=job)


def _release(
    connection: Connection, claimed: ClaimedRun, ends: tuple[RunState, ...]
) -> lease.statements.Release | AlreadyDone | NotOurs:
    """Lock the schedule, whose other runs depend on this one, then end the grant; or say why it had ended before."""
    statements.schedule.lock(connection, claimed.application, claimed.schedule)
    released = lease.statements.release(connection, claimed.grant, lock_wait=LOCK_WAIT)
    if released.released:
        return released
    row = statements.run.read(connection, claimed.run_id)
    ours = row is not None and (row.token, row.holder) == (claimed.grant.token, claimed.grant.holder)
    if row is not None and ours and (row.state in ends or row.state not in UNFINISHED):
        return AlreadyDone(row.state)
    return not_ours(connection, claimed.run_id, claimed.grant)


def _end_job(connection: Connection, claimed: ClaimedRun, job: EndedJob | None) -> None:
    if job is None:
        # An attempt may have begun all the same: the answer to its beginning was lost, and it was never started.
        statements.job_run.stop_all(connection, claimed.run_id, claimed.grant)
        return
    changed = statements.job_run.end(
        connection, job.job_run_id, claimed.grant, job_state(job.outcome), told(job.outcome)
    )
    once(changed, claimed.run_id, f"the end of job run {job.job_run_id}")
