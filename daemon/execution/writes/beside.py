"""The writes beside an attempt: its keeper, what it reports and prints, and what is to follow it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

import lease.statements

from ...jobs.output.transcript import Piece
from ...jobs.processes.identity import ProcessIdentity
from ...jobs.reports import LONGEST_ERROR, LONGEST_MESSAGE, Progress
from ...store import statements
from ..claim import ClaimedRun
from .result import Done, EndedJob, NotOurs, job_run_values, not_ours, require_one_row, truncate_for_db

PATIENCE = 1.5
"""Seconds that a write waits by itself for transactions that are fenced with its grant."""


def record_keeper(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, keeper: ProcessIdentity
) -> Done | NotOurs:
    """Record the keeper of a child, before the child runs (rule 18)."""
    if not _holds(connection, claimed):
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
    """Save what jobs printed, all of it in one statement; return the job runs that are over or no
    longer the holder's.
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
    if not _holds(connection, claimed):
        return not_ours(connection, claimed.run_id, grant)
    statements.run.leave_word(connection, claimed.run_id, grant, wait, truncate_for_db(reason, LONGEST_ERROR))
    changed = statements.job_run.leave_word(connection, job.job_run_id, grant, job_run_values(job.outcome))
    require_one_row(changed, claimed.run_id, f"the message about job run {job.job_run_id}")
    if not_started:
        statements.job_run.add_not_started(connection, claimed.run_id, grant, not_started)
    return Done()


def _holds(connection: Connection, claimed: ClaimedRun) -> bool:
    return bool(lease.statements.hold(connection, [claimed.grant], lock_wait=PATIENCE))
