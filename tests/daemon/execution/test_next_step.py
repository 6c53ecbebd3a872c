"""What follows when a job has ended, and where a run resumes (rule 16)."""

from typing import Any, Literal, get_args

import pytest

from daemon import Schedules
from daemon.definitions.schedule import LONGEST_WAIT, Job, OnFailure
from daemon.execution.next_step import (
    EarlierAttempts,
    Failures,
    FinishRun,
    GoneJob,
    HandBack,
    LetGo,
    NextJob,
    Resumption,
    RetryLater,
    Step,
    after_job,
    backoff,
    before_jobs,
)
from daemon.execution.writes.transactions import job_run_state
from daemon.jobs.reports import Outcome
from daemon.states import JobState
from tests.support.manual import nothing


def _after(outcome: Outcome, *, retries: int = 0, **given: Any) -> Step:
    job = Job(name="orders", command="true", retries=retries, backoff=10.0)
    known: dict[str, Any] = {
        "failures": 0,
        "more": True,
        "before": Failures(),
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
    before = Failures(("customers",))
    ended = _after(SUCCEEDED, more=False, before=before, on_failure="continue")
    assert ended == FinishRun("failed", 'job "customers" failed')
    both = _after(FAILED, more=False, before=before, on_failure="continue")
    assert both == FinishRun("failed", 'jobs "customers", "orders" failed: ValueError: no such order')


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome("not run", "schedules.py: it is not what it was", status=1), "schedules.py: it is not what it was"),
        (Outcome("no room", "no more processes can be started"), "no more processes can be started"),
        (Outcome("stopped"), "drained"),
    ],
    ids=["its file has changed", "no room", "a drain"],
)
def test_a_job_that_was_not_run_or_was_drained_is_handed_back_and_uses_up_nothing(
    outcome: Outcome, reason: str
) -> None:
    assert _after(outcome, more=False) == HandBack(reason)
    assert job_run_state(outcome) == "stopped"


def test_a_run_begins_with_its_first_job_and_ends_if_none_is_left() -> None:
    for on_failure in get_args(OnFailure):
        assert before_jobs(Failures(), more=True, on_failure=on_failure) == NextJob()
        assert before_jobs(Failures(), more=False, on_failure=on_failure) == FinishRun("succeeded", None)


GONE = Failures(gone=(GoneJob("extract", failed=True),))
NO_LONGER = 'job "extract" failed and is no longer defined'


@pytest.mark.parametrize("more", [True, False])
def test_a_job_that_failed_and_is_gone_fails_the_run_at_once(more: bool) -> None:
    """Rule 22: nothing that failed ever disappears."""
    assert before_jobs(GONE, more=more, on_failure="stop") == FinishRun("failed", NO_LONGER)


def test_a_job_that_was_stopped_and_is_gone_fails_the_run_too() -> None:
    stopped = Failures(gone=(GoneJob("extract", failed=False),))
    assert before_jobs(stopped, more=True, on_failure="stop") == FinishRun(
        "failed", 'job "extract" was not finished and is no longer defined'
    )


def test_with_continue_the_other_jobs_run_before_the_one_that_is_gone_fails_the_run() -> None:
    assert before_jobs(GONE, more=True, on_failure="continue") == NextJob()
    assert before_jobs(GONE, more=False, on_failure="continue") == FinishRun("failed", NO_LONGER)
    ended = _after(SUCCEEDED, more=False, before=GONE, on_failure="continue")
    assert ended == FinishRun("failed", NO_LONGER)
    both = _after(FAILED, more=False, before=GONE.and_job("customers"), on_failure="continue")
    assert both == FinishRun("failed", f'{NO_LONGER}; jobs "customers", "orders" failed: ValueError: no such order')


def test_with_continue_a_job_that_failed_for_good_fails_a_run_of_which_no_job_is_left() -> None:
    ended = before_jobs(Failures(("customers",)), more=False, on_failure="continue")
    assert ended == FinishRun("failed", 'job "customers" failed')


@pytest.mark.parametrize("on_failure", get_args(OnFailure))
def test_retries_come_after_a_doubling_wait_and_then_no_more(on_failure: OnFailure) -> None:
    waits = [_after(FAILED, retries=3, failures=failures, on_failure=on_failure) for failures in range(4)]
    assert [step.wait for step in waits if isinstance(step, RetryLater)] == [10.0, 20.0, 40.0]
    assert isinstance(waits[3], NextJob if on_failure == "continue" else FinishRun)


def test_a_lost_attempt_writes_nothing_more() -> None:
    assert _after(Outcome("lost")) == LetGo()


@pytest.mark.parametrize("failures", [0, 5, 40, 10_000])
def test_a_wait_is_capped_and_spread_by_a_fifth_at_most(failures: int) -> None:
    job = Job(name="work", command="true")
    assert backoff(job, failures, 0.0) <= backoff(job, failures, 1.0) <= LONGEST_WAIT
    assert backoff(job, 0, 1.0) == pytest.approx(12.0)


@pytest.mark.parametrize("failures", [0, 1, 10_000])
def test_a_first_wait_that_is_longer_than_the_cap_is_kept(failures: int) -> None:
    job = Job(name="work", command="true", backoff=3 * LONGEST_WAIT)
    assert backoff(job, failures, 0.5) == job.longest_wait == 3 * LONGEST_WAIT


def test_a_run_whose_time_is_over_ends_with_that_reason_whatever_is_left_of_it() -> None:
    outcome = Outcome("failed", "the run exceeded its run_timeout of 1h", ends_run=True)
    for on_failure in get_args(OnFailure):
        ended = _after(outcome, retries=5, on_failure=on_failure)
        assert ended == FinishRun("failed", "the run exceeded its run_timeout of 1h")


def test_a_retry_that_would_come_after_the_time_of_the_run_ends_it() -> None:
    assert isinstance(_after(FAILED, retries=5, run_left=10.1), RetryLater)
    ended = _after(FAILED, retries=5, run_left=10.0)
    reason = 'job "orders" failed: ValueError: no such order; a retry would exceed its run_timeout'
    assert ended == FinishRun("failed", reason)


# Where a run resumes


def resumption(*earlier: tuple[str, EarlierAttempts], on_failure: Literal["stop", "continue"] = "stop") -> Resumption:
    """Return where a run of three jobs resumes, each of which may be retried once."""
    schedules = Schedules("shop")
    builder = schedules.add("nightly", cron="0 2 * * *", on_failure=on_failure)
    for name in ("customers", "orders", "prices"):
        builder.job(name=name, timeout="1m", retries=1)(nothing)
    return Resumption(schedules.application().schedule("nightly"), dict(earlier))


def attempts(job: str, state: JobState, failures: int = 0, made: int = 1) -> tuple[str, EarlierAttempts]:
    return job, EarlierAttempts(state, failures, made + 1)


def remaining(where: Resumption) -> list[tuple[int, str]]:
    return [(position, job.name) for position, job in where.remaining()]


def test_a_run_that_was_never_begun_has_all_jobs_before_it() -> None:
    where = resumption()
    assert remaining(where) == [(0, "customers"), (1, "orders"), (2, "prices")]
    assert (where.of("customers").failures, where.of("customers").next_attempt) == (0, 1)


def test_it_resumes_at_the_first_job_that_is_not_done_and_positions_stay() -> None:
    where = resumption(attempts("customers", "succeeded"), attempts("orders", "abandoned"))
    assert remaining(where) == [(1, "orders"), (2, "prices")]
    assert where.of("orders").next_attempt == 2


def test_a_job_that_was_stopped_or_abandoned_has_used_up_nothing() -> None:
    where = resumption(attempts("customers", "stopped", made=3))
    assert remaining(where)[0] == (0, "customers")
    assert (where.of("customers").failures, where.of("customers").next_attempt) == (0, 4)


def test_a_job_that_succeeded_after_a_failure_is_done() -> None:
    assert remaining(resumption(attempts("customers", "succeeded", failures=1, made=2)))[0] == (1, "orders")


@pytest.mark.parametrize(
    ("failures", "on_failure", "failed"),
    [(2, "continue", ["customers"]), (1, "continue", []), (5, "stop", [])],
    ids=["for good", "it has retries left", "with stop: it may have had more retries when it failed"],
)
def test_with_continue_a_job_that_failed_for_good_is_not_tried_again(
    failures: int, on_failure: Literal["stop", "continue"], failed: list[str]
) -> None:
    where = resumption(attempts("customers", "failed", failures, made=failures), on_failure=on_failure)
    assert where.failed_for_good() == failed
    assert remaining(where) == [(0, "customers"), (1, "orders"), (2, "prices")][len(failed) :]


@pytest.mark.parametrize(
    ("state", "failures", "gone"),
    [
        ("failed", 1, [GoneJob("vanished", failed=True)]),
        ("stopped", 1, [GoneJob("vanished", failed=True)]),
        ("stopped", 0, [GoneJob("vanished", failed=False)]),
        ("abandoned", 0, [GoneJob("vanished", failed=False)]),
        ("succeeded", 1, []),
        ("not started", 0, []),
    ],
)
def test_a_job_that_is_gone_from_the_definition_is_not_forgotten_unless_it_is_done(
    state: JobState, failures: int, gone: list[GoneJob]
) -> None:
    """Rule 22."""
    where = resumption(attempts("customers", "failed", failures=1), attempts("vanished", state, failures))
    assert where.gone() == gone
    assert remaining(where) == [(0, "customers"), (1, "orders"), (2, "prices")]
