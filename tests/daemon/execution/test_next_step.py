"""What follows when a job has ended (rule 16)."""

from typing import Any

import pytest

from daemon.definitions.job import Job
from daemon.execution.next_step import (
    LONGEST_WAIT,
    FinishRun,
    HandBack,
    LetGo,
    NextJob,
    RetryLater,
    Step,
    after_job,
    backoff,
)
from daemon.jobs.outcome import Outcome


def _after(outcome: Outcome, *, retries: int = 0, **given: Any) -> Step:
    job = Job(name="orders", command="true", retries=retries, backoff=10.0)
    known: dict[str, Any] = {
        "failures": 0,
        "more": True,
        "failed_before": (),
        "on_failure": "stop",
        "chance": 0.0,
    } | given
    return after_job(outcome, job, **known)


SUCCEEDED = Outcome("succeeded")
FAILED = Outcome("failed", "Traceback ...\nValueError: no such order")


def test_a_job_that_succeeded_is_followed_by_the_next_and_the_last_one_ends_the_run() -> None:
    assert _after(SUCCEEDED) == NextJob()
    assert _after(SUCCEEDED, more=False) == FinishRun("succeeded", None)


def test_a_job_that_failed_for_good_ends_the_run_with_the_last_line_of_its_error() -> None:
    assert _after(FAILED) == FinishRun("failed", 'job "orders" failed: ValueError: no such order')


def test_with_continue_the_other_jobs_run_and_the_run_still_ends_as_failed() -> None:
    assert _after(FAILED, on_failure="continue") == NextJob()
    ended = _after(SUCCEEDED, more=False, failed_before=["customers"], on_failure="continue")
    assert ended == FinishRun("failed", 'job "customers" failed')
    both = _after(FAILED, more=False, failed_before=["customers"], on_failure="continue")
    assert both == FinishRun("failed", 'jobs "customers", "orders" failed: ValueError: no such order')


def test_retries_come_after_a_doubling_wait_and_then_no_more() -> None:
    waits = [_after(FAILED, retries=3, failures=failures) for failures in range(4)]
    assert [step.wait for step in waits if isinstance(step, RetryLater)] == [10.0, 20.0, 40.0]
    assert isinstance(waits[3], FinishRun)


def test_a_drained_attempt_uses_up_nothing_and_is_handed_back() -> None:
    assert isinstance(_after(Outcome("stopped"), retries=0), HandBack)


def test_a_lost_attempt_writes_nothing_more() -> None:
    assert _after(Outcome("lost")) == LetGo()


@pytest.mark.parametrize("failures", [0, 5, 40, 10_000])
def test_a_wait_is_capped_and_spread_by_a_fifth_at_most(failures: int) -> None:
    assert backoff(10.0, failures, 0.0) <= backoff(10.0, failures, 1.0) <= LONGEST_WAIT
    assert backoff(10.0, 0, 1.0) == pytest.approx(12.0)
