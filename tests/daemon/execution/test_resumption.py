"""Where a run resumes (rule 16)."""

from typing import Literal

import pytest

from daemon import Schedules
from daemon.execution.next_step import EarlierAttempts, GoneJob, Resumption
from daemon.states import JobState
from tests.support.manual import nothing


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
