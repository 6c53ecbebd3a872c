"""The writes of a holder, each by itself, as a test makes them: a set of one that waits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from daemon.execution.claim import ClaimedRun
from daemon.execution.writes import transactions
from daemon.execution.writes.transactions import (
    PATIENCE,
    AlreadyDone,
    Done,
    EndedJob,
    EndRun,
    FinishJob,
    Marked,
    NothingWritten,
    NotOurs,
    StartJob,
    Write,
    record_keeper,
    save_output,
    save_progress,
    write_set,
)
from daemon.jobs.reports import Outcome
from daemon.states import EndState
from tests.support.store import Store

__all__ = [
    "AlreadyDone",
    "Done",
    "EndedJob",
    "Marked",
    "NotOurs",
    "NothingWritten",
    "begun",
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


def start_job(
    connection: Connection, claimed: ClaimedRun, job: str, position: int, attempt: int
) -> int | NotOurs | Marked:
    started: int | NotOurs | Marked = _written(connection, StartJob(claimed, job, position, attempt))
    return started


def begun(store: Store, claimed: ClaimedRun, job: str = "one", position: int = 0) -> int:
    """Begin the next attempt of a job, and return its number."""
    attempt = claimed.jobs[job].next_attempt if job in claimed.jobs else 1
    number = store.do(start_job, claimed, job, position, attempt)
    assert isinstance(number, int)
    return number


def finish_job(
    connection: Connection, claimed: ClaimedRun, job_run_id: int, outcome: Outcome
) -> Done | AlreadyDone | NotOurs:
    finished: Done | AlreadyDone | NotOurs = _written(connection, FinishJob(claimed, EndedJob(job_run_id, outcome)))
    return finished


def leave_word(
    connection: Connection,
    claimed: ClaimedRun,
    job: EndedJob,
    *,
    wait: float,
    reason: str | None,
    not_started: Sequence[tuple[str, int]],
) -> Done | NotOurs:
    return transactions.leave_word(connection, EndRun(claimed, "pending", reason, job, not_started, wait))


def finish_run(
    connection: Connection,
    claimed: ClaimedRun,
    state: EndState,
    reason: str | None = None,
    *,
    job: EndedJob | None = None,
    not_started: Sequence[tuple[str, int]] = (),
) -> Done | AlreadyDone | NotOurs:
    return _ended(connection, EndRun(claimed, state, reason, job, not_started))


def retry_run(
    connection: Connection, claimed: ClaimedRun, wait: float, reason: str | None = None, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    return _ended(connection, EndRun(claimed, "pending", reason, job, wait=wait))


def hand_back(
    connection: Connection, claimed: ClaimedRun, reason: str | None = None, *, job: EndedJob | None = None
) -> Done | AlreadyDone | NotOurs:
    return retry_run(connection, claimed, 0.0, reason, job=job)


def _ended(connection: Connection, end: EndRun) -> Done | AlreadyDone | NotOurs:
    ended: Done | AlreadyDone | NotOurs = _written(connection, end)
    return ended


def _written(connection: Connection, write: Write) -> Any:
    (answer,) = write_set(connection, [write], patience=PATIENCE)
    if isinstance(answer, NothingWritten):
        raise answer
    return answer
