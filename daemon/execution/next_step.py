"""The jobs that a run has left, and its steps, at its resumption and after each job: pure decisions that `run_execution`
carries out (rules 16 and 22).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from ..definitions.schedule import Job, OnFailure, Schedule
from ..jobs.reports import Outcome
from ..states import JobState
from ..text import last_line

_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class NextJob:
    """Go on with the next job."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Retry this job after ``wait`` seconds, in which the run holds no lease."""

    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class FinishRun:
    state: Literal["succeeded", "failed"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class HandBack:
    """Hand the run back: the replica that claims it next resumes at this job."""

    reason: str = "drained"
    """By default that its replica had to stop at its own end."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """The lease is lost: hand the run back if it has no new holder yet, and write nothing else."""


@dataclass(frozen=True, slots=True)
class GoneJob:
    """A job that was attempted, has not succeeded, and is no longer defined."""

    name: str
    failed: bool
    """False if it was only stopped or abandoned."""

    def __str__(self) -> str:
        return f'job "{self.name}" {"failed" if self.failed else "was not finished"} and is no longer defined'


Step = NextJob | RetryLater | FinishRun | HandBack | LetGo


@dataclass(frozen=True, slots=True)
class Failures:
    """The jobs that make a run fail in the end, however its other jobs end."""

    failed: tuple[str, ...] = ()
    """They failed for good."""
    gone: tuple[GoneJob, ...] = ()

    def and_job(self, job: str) -> "Failures":
        return replace(self, failed=(*self.failed, job))


@dataclass(frozen=True, slots=True)
class EarlierAttempts:
    """The attempts of a job that a run has already."""

    state: JobState = "not started"
    """``succeeded`` if any attempt succeeded; otherwise that of the latest."""
    failures: int = 0
    """The attempts that failed, and so used up a retry (rule 16)."""
    next_attempt: int = 1


@dataclass(frozen=True, slots=True)
class Resumption:
    """The jobs of a schedule, and the earlier attempts of each in this run."""

    schedule: Schedule
    earlier: Mapping[str, EarlierAttempts]

    def of(self, job: str) -> EarlierAttempts:
        return self.earlier.get(job) or EarlierAttempts()

    def remaining(self) -> list[tuple[int, Job]]:
        """Return the jobs that are not done, with their positions, in order."""
        failed = self.failed_for_good()
        jobs = enumerate(self.schedule.jobs)
        return [(at, job) for at, job in jobs if self.of(job.name).state != "succeeded" and job.name not in failed]

    def before(self) -> Failures:
        return Failures(tuple(self.failed_for_good()), tuple(self.gone()))

    def failed_for_good(self) -> list[str]:
        """Return the jobs that used up their attempts while the others go on (`on_failure`)."""
        if stops_run(self.schedule.on_failure):
            return []
        return [job.name for job in self.schedule.jobs if self.of(job.name).failures > job.retries]

    def gone(self) -> list[GoneJob]:
        """Return the jobs that were attempted, have not succeeded, and are no longer defined (rule 22)."""
        defined = {job.name for job in self.schedule.jobs}
        return [
            GoneJob(name, failed=attempts.failures > 0)
            for name, attempts in self.earlier.items()
            if name not in defined and attempts.state not in {"succeeded", "not started"}
        ]


def before_jobs(failures: Failures, *, more: bool, on_failure: OnFailure) -> NextJob | FinishRun:
    """Return the step with which a run is begun or resumed; ``more`` is whether a job is left."""
    if more and not (failures.gone and stops_run(on_failure)):
        return NextJob()
    reason = _reason(failures, None)
    return FinishRun("failed", reason) if reason else FinishRun("succeeded", None)


def after_job(
    outcome: Outcome,
    job: Job,
    *,
    failures: int,
    more: bool,
    before: Failures,
    on_failure: OnFailure,
    chance: float,
    run_left: float | None = None,
) -> Step:
    """Return the step that follows ``outcome``.

    ``failures`` counts the earlier attempts of this job that failed, ``before`` are the jobs that
    did, ``more`` is whether another job follows, ``chance`` is a random number from 0 to 1 that
    spreads retries, ``run_left`` what is left of the run's own time.
    """
    match outcome.state:
        case "lost":
            return LetGo()
        case "stopped":
            return HandBack()
        case "not run" | "no room":
            return HandBack(_error_line(outcome))
        case "failed" if outcome.ends_run:
            return FinishRun("failed", _error_line(outcome))
        case "failed" if failures < job.retries:
            wait = backoff(job, failures, chance)
            if run_left is None or wait < run_left:
                return RetryLater(wait, f'job "{job.name}" failed: {_error_line(outcome)}')
            reason = _reason(before.and_job(job.name), outcome)
            return FinishRun("failed", f"{reason}; a retry would exceed its run_timeout")
        case "failed" if stops_run(on_failure) or not more:
            return FinishRun("failed", _reason(before.and_job(job.name), outcome))
        case "succeeded" if not more:
            return before_jobs(before, more=False, on_failure=on_failure)
        case "failed" | "succeeded":
            return NextJob()
        case _:
            assert_never(outcome.state)


def stops_run(on_failure: OnFailure) -> bool:
    """Return whether a job that failed for good keeps the jobs after it from running."""
    match on_failure:
        case "stop":
            return True
        case "continue":
            return False
        case _:
            assert_never(on_failure)


def backoff(job: Job, failures: int, chance: float) -> float:
    """Return the wait in seconds after ``failures`` failures: doubling, capped, with jitter."""
    wait = job.backoff * 2.0 ** min(failures, 30)
    return min(job.longest_wait, wait * (1.0 + _JITTER * chance))


def _error_line(outcome: Outcome) -> str:
    """Return the last line of the outcome's error, or a sentence if it has none."""
    return last_line(outcome.error) or "no error was reported"


def _reason(failures: Failures, outcome: Outcome | None) -> str:
    """Return why a run failed; ``outcome`` is that of the last job, if it failed."""
    parts = [str(job) for job in failures.gone]
    if failures.failed:
        named = ", ".join(f'"{name}"' for name in failures.failed)
        what = "job" if len(failures.failed) == 1 else "jobs"
        parts.append(f"{what} {named} failed" + (f": {_error_line(outcome)}" if outcome else ""))
    return "; ".join(parts)
