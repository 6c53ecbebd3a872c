"""The summary of a run: the end of each job, and the token it ran under."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ...states import JobState, RunState
from .history import JobRunLine, RunDetail, read_run


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job over all its attempts; state, progress and error are those of the last one."""

    job: str
    state: JobState
    attempts: int
    done: float | None
    message: str | None
    seconds: float
    token: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A run as it stands; token and holder are those of the last attempt."""

    run_id: int
    application: str
    schedule: str
    state: RunState
    reason: str | None
    jobs: tuple[JobSummary, ...]
    seconds: float | None
    token: int | None
    holder: str | None
    """For people, ``host:pid``; its id where that is not known any more."""


def summary(connection: Connection, run_id: int) -> Summary:
    """Return the summary of a run; raises `NotFound`."""
    detail = read_run(connection, run_id)
    by_job: dict[str, list[JobRunLine]] = {}
    for attempt in detail.jobs:
        by_job.setdefault(attempt.job, []).append(attempt)
    last = detail.jobs[-1] if detail.jobs else None
    run = detail.run
    return Summary(
        run_id=run.run_id,
        application=run.application,
        schedule=run.schedule,
        state=run.state,
        reason=run.reason,
        jobs=tuple(_job(attempts) for attempts in by_job.values()),
        seconds=run.seconds,
        token=run.token if run.token is not None or last is None else last.token,
        holder=_holder(detail),
    )


def _holder(detail: RunDetail) -> str | None:
    """Return who had the run last."""
    if detail.run.holder is not None or not detail.jobs:
        return detail.replica or detail.run.holder
    return detail.jobs[-1].replica or detail.jobs[-1].holder


def _job(attempts: list[JobRunLine]) -> JobSummary:
    last = attempts[-1]
    return JobSummary(
        job=last.job,
        state=last.state,
        attempts=sum(attempt.state != "not started" for attempt in attempts),
        done=last.done,
        message=last.message,
        seconds=sum(attempt.seconds for attempt in attempts if attempt.state != "not started"),
        token=last.token,
        error=last.error,
    )
