"""The summary of a run: how it stands, and the end of each job."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ...states import JobState
from .history import JobRunLine, RunLine, read_run


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job over all its attempts; state, progress and error are those of the last one."""

    job: str
    state: JobState
    attempts: int
    done: float | None
    message: str | None
    seconds: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A run as it stands."""

    run: RunLine
    jobs: tuple[JobSummary, ...]


def summary(connection: Connection, run_id: int) -> Summary:
    """Return the summary of a run; raises `NotFound`."""
    detail = read_run(connection, run_id)
    by_job: dict[str, list[JobRunLine]] = {}
    for attempt in detail.jobs:
        by_job.setdefault(attempt.job, []).append(attempt)
    return Summary(detail.run, tuple(map(_job, by_job.values())))


def _job(attempts: list[JobRunLine]) -> JobSummary:
    last = attempts[-1]
    return JobSummary(
        job=last.job,
        state=last.state,
        attempts=sum(attempt.state != "not started" for attempt in attempts),
        done=last.done,
        message=last.message,
        seconds=sum(attempt.seconds for attempt in attempts if attempt.state != "not started"),
        error=last.error,
    )
