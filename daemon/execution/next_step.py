"""The step after the end of a job: a pure decision that `run_execution` carries out (rule 16)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from ..definitions.job import Job
from ..definitions.schedule import OnFailure
from ..jobs.outcome import Outcome
from ..text import last_line

LONGEST_WAIT = 3600.0
"""Seconds. The cap of the doubling wait before a retry."""
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
    """The run is over."""

    state: Literal["succeeded", "failed"]
    reason: str | None


@dataclass(frozen=True, slots=True)
class HandBack:
    """Hand the run back: the replica that claims it next resumes at this job."""

    reason: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """The lease is lost: hand the run back if it has no new holder yet, and write nothing else."""


EndStep = RetryLater | FinishRun | HandBack | LetGo
"""The steps that end this replica's work on the run."""
Step = NextJob | EndStep


def after_job(
    outcome: Outcome,
    job: Job,
    *,
    failures: int,
    more: bool,
    failed_before: Sequence[str],
    on_failure: OnFailure,
    chance: float,
) -> Step:
    """Return the step that follows ``outcome``.

    ``failures`` counts the earlier attempts of this job that failed, ``failed_before`` names the
    jobs that failed for good, ``more`` is whether another job follows, ``chance`` is a random
    number from 0 to 1 that spreads retries.
    """
    match outcome.state:
        case "lost":
            return LetGo()
        case "stopped":
            return HandBack("stopped: the replica is shutting down")
        case "failed" if failures < job.retries:
            return RetryLater(
                backoff(job.backoff, failures, chance), f'job "{job.name}" failed: {_error_line(outcome)}'
            )
        case "failed" if stops_run(on_failure) or not more:
            return FinishRun("failed", _failed([*failed_before, job.name], outcome))
        case "succeeded" if not more:
            return FinishRun("failed", _failed(failed_before, None)) if failed_before else FinishRun("succeeded", None)
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


def backoff(first: float, failures: int, chance: float) -> float:
    """Return the wait in seconds after ``failures`` failures: doubling, capped, with jitter."""
    wait = min(LONGEST_WAIT, first * 2.0 ** min(failures, 30))
    return min(LONGEST_WAIT, wait * (1.0 + _JITTER * chance))


def _error_line(outcome: Outcome) -> str:
    """Return the last line of the outcome's error, or a sentence if it has none."""
    return last_line(outcome.error) or "no error was reported"


def _failed(jobs: Sequence[str], outcome: Outcome | None) -> str:
    named = ", ".join(f'"{name}"' for name in jobs)
    what = "job" if len(jobs) == 1 else "jobs"
    return f"{what} {named} failed" + (f": {_error_line(outcome)}" if outcome else "")
