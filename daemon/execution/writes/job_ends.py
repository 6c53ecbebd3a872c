"""The ends of attempts after which their runs go on; `run_ends` records those that end a run too."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

import lease.statements
from lease.model import Grant

from ...definitions.values.targets import Target
from ...scheduling.telling import Told, write
from ...store import statements
from ..claim import ClaimedRun
from .result import (
    AlreadyDone,
    Done,
    EndedJob,
    NothingWritten,
    NotOurs,
    PassedOver,
    job_run_row,
    not_ours,
)


@dataclass(frozen=True, slots=True)
class FinishJob:
    """The end of an attempt."""

    claimed: ClaimedRun
    job: EndedJob
    targets: Sequence[Target] = ()
    """Who is told if it stalled."""

    @property
    def grant(self) -> Grant:
        return self.claimed.grant


Finished = Done | AlreadyDone | NotOurs | PassedOver | NothingWritten


def finish_jobs(connection: Connection, ends: Sequence[FinishJob], *, patience: float | None) -> list[Finished]:
    """Record the ends of attempts, at most one of each run; return what became of each, in their order.

    Waits for no row; with ``patience`` it waits, up to so many seconds for each lease.
    """
    held = lease.statements.hold(connection, [end.grant for end in ends], lock_wait=patience)
    ours = [end for end in ends if end.grant in held]
    jobs = [(end.job.job_run_id, end.grant) for end in ours]
    free = statements.ends.lock_jobs(connection, jobs, waits=patience is not None) if jobs else set()
    proven = [end for end in ours if end.job.job_run_id in free]
    if succeeded := [(end.claimed.run_id, end.grant) for end in proven if end.job.outcome.state == "succeeded"]:
        statements.ends.reset_abandoned(connection, succeeded)
    ended = (
        statements.ends.end_jobs(connection, [job_run_row(end.job, end.grant) for end in proven]) if proven else set()
    )
    for end in proven:
        if end.job.outcome.stalled and end.job.job_run_id in ended:
            told = Told("run.stalled", end.claimed.schedule, end.claimed.run_id)
            write(connection, end.claimed.application, [(told, end.targets)])
    return [Done() if end.job.job_run_id in ended else _unwritten(connection, end, held) for end in ends]


def _unwritten(connection: Connection, end: FinishJob, held: set[Grant]) -> Finished:
    if end.grant not in held and not lease.statements.in_force(connection, end.grant):
        return not_ours(connection, end.claimed.run_id, end.grant)
    before = statements.job_run.read(connection, end.job.job_run_id)
    if before is None or (before.token, before.holder) != (end.grant.token, end.grant.holder):
        return NothingWritten(
            f"run {end.claimed.run_id} has no job run {end.job.job_run_id} under token {end.grant.token}"
        )
    return PassedOver() if before.state == "running" else AlreadyDone(before.state)
