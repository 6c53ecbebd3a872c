"""The plan of a retry: which jobs are carried over, and which run; or why there is none. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from ...states import RunState
from ...text import suggestion


@dataclass(frozen=True, slots=True)
class TriedRun:
    """A run that may be tried again."""

    run_id: int
    schedule: str
    state: RunState
    reason: str | None
    digest: str | None
    retried_as: int | None
    """The run that has tried it again."""
    retried_state: RunState | None
    done: Mapping[str, int]
    """By job that succeeded, the number of that attempt."""
    attempted: Sequence[str]
    """The jobs that were attempted, in order."""
    is_forgotten: bool = False
    """Its parameters were deleted, without which it cannot be done again."""

    @property
    def ended(self) -> str:
        """How it ended: ``failed (job "orders" failed: no more shops)``."""
        return self.state + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class CarriedJob:
    """A job that succeeded before, and is not done again."""

    job: str
    attempt: int
    """The number of the attempt that succeeded."""
    position: int
    """Its place in the definition."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What a run that tries another again does, and does not."""

    carried: tuple[CarriedJob, ...]
    jobs: tuple[str, ...]
    """The jobs that it runs."""
    gone: tuple[str, ...]
    """The jobs that the run before has attempted, and that are defined no more."""
    redefined: bool
    """The definition is another than that of the run before."""


@dataclass(frozen=True, slots=True)
class RetriedBefore:
    """A run that tries it again is under way already."""

    run_id: int


@dataclass(frozen=True, slots=True)
class NoRetry:
    """It cannot be tried again, for a reason that is a sentence."""

    why: str


def decide(
    run: TriedRun, jobs: Sequence[str], digest: str | None, from_job: str | None = None
) -> RetryPlan | RetriedBefore | NoRetry:
    """Return the retry of a run by a definition with these ``jobs``, which does all again from ``from_job`` on."""
    if run.retried_as is not None:
        return _retried(run, run.retried_as)
    why = _refused(run, from_job) or _wrong_job(run, jobs, from_job)
    if why is not None:
        return NoRetry(why)
    first = len(jobs) if from_job is None else jobs.index(from_job)
    carried = tuple(
        CarriedJob(job, run.done[job], position)
        for position, job in enumerate(jobs)
        if position < first and job in run.done
    )
    kept = {one.job for one in carried}
    gone = tuple(job for job in run.attempted if job not in jobs)
    left = tuple(job for job in jobs if job not in kept)
    if not left:
        return NoRetry(
            f'every job of run {run.run_id} of "{run.schedule}" that is still defined has succeeded; --from JOB '
            "runs some again"
        )
    return RetryPlan(carried, left, gone, redefined=run.digest != digest)


def _retried(run: TriedRun, as_run: int) -> RetriedBefore | NoRetry:
    match run.retried_state:
        case "pending" | "running":
            return RetriedBefore(as_run)
        case "succeeded":
            remedy = "to run its jobs once more, retry that one with --from JOB"
        case "failed" | "cancelled" | "skipped" | None:
            remedy = "retry that one"
        case _:
            assert_never(run.retried_state)
    return NoRetry(f"run {run.run_id} was retried as run {as_run} ({run.retried_state}): {remedy}")


def _refused(run: TriedRun, from_job: str | None) -> str | None:
    """Return why a run in this state is not tried again."""
    named = f'run {run.run_id} of "{run.schedule}"'
    if run.is_forgotten:
        return f"{named} was forgotten, and its parameters were deleted; `leased trigger {run.schedule}` requests a new run"
    match run.state:
        case "failed" | "cancelled":
            return None
        case "succeeded":
            return None if from_job is not None else f"{named} has succeeded; to run its jobs once more, use --from JOB"
        case "pending" | "running":
            return f"{named} is {run.state}; wait until it ends, or cancel it first"
        case "skipped":
            return f"{named} was skipped ({run.reason}), so nothing ran; `leased trigger {run.schedule}` requests a run"
        case _:
            assert_never(run.state)


def _wrong_job(run: TriedRun, jobs: Sequence[str], from_job: str | None) -> str | None:
    """Return why a retry cannot begin with this job."""
    if from_job is None:
        return None
    if from_job not in jobs:
        return f'"{run.schedule}" has no job "{from_job}"; {suggestion(from_job, jobs)}'
    missing = next((job for job in jobs[: jobs.index(from_job)] if job not in run.done), None)
    if missing is None:
        return None
    return (
        f'job "{missing}", which comes before "{from_job}", has not succeeded in run {run.run_id} of '
        f'"{run.schedule}"; retry it from "{missing}" on'
    )
