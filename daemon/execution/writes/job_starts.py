"""The starts of attempts: recorded before they run."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

import lease.statements

from ...store import statements
from ..claim import ClaimedRun
from .result import Marked, NothingWritten, NotOurs, PassedOver, not_ours


@dataclass(frozen=True, slots=True)
class StartJob:
    """The start of attempt ``attempt`` of a job."""

    claimed: ClaimedRun
    job: str
    position: int
    attempt: int


Started = int | NotOurs | Marked | PassedOver | NothingWritten
"""The id of the job run, or why there is none."""


def start_jobs(connection: Connection, starts: Sequence[StartJob], *, patience: float | None) -> list[Started]:
    """Record the starts of attempts, at most one of each run; return what became of each, in their
    order.

    Waits for no row; with ``patience`` it waits for the leases, up to so many seconds for each.
    """
    if patience is not None:
        lease.statements.hold(connection, [start.claimed.grant for start in starts], lock_wait=patience)
    rows = [
        (start.claimed.run_id, *_proof(start.claimed), start.job, start.position, start.attempt) for start in starts
    ]
    begun = statements.starts.start_jobs(connection, rows)
    return [begun.get(start.claimed.run_id) or _not_begun(connection, start) for start in starts]


def _proof(claimed: ClaimedRun) -> tuple[int, str]:
    return claimed.grant.token, claimed.grant.holder


def _not_begun(connection: Connection, start: StartJob) -> Started:
    claimed = start.claimed
    if not lease.statements.in_force(connection, claimed.grant):
        return not_ours(connection, claimed.run_id, claimed.grant)
    before = statements.job_run.find_started(connection, claimed.run_id, claimed.grant, start.job, start.attempt)
    if before is not None:  # by this very attempt, whose answer was lost
        return before
    row = statements.run.read(connection, claimed.run_id)
    if row is not None and row.cancelled_at is not None:
        return Marked()
    if statements.job_run.is_recorded(connection, claimed.run_id, start.job, start.attempt):
        return NothingWritten(f'run {claimed.run_id}: attempt {start.attempt} of job "{start.job}" already exists')
    return PassedOver()
