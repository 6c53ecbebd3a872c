"""Which limit ends an attempt, and what that means for it and for its run."""

import pytest

from daemon.execution.attempt import Limit, Limits, over_limit, own_time
from daemon.jobs.reports import Outcome
from daemon.jobs.runners import ThreadAttempt

TIMEOUT = "the job exceeded its timeout of 10s"
HUNG = "the job hung: it showed no progress for 5s (stall_after)"
RUN = "the run exceeded its run_timeout of 1m"


@pytest.mark.parametrize(
    ("limits", "worked", "quiet", "expected"),
    [
        (Limits(), 1e6, 1e6, None),
        (Limits(timeout=10.0), 4.0, 4.0, Limit(6.0, TIMEOUT)),
        (Limits(timeout=10.0, stall_after=5.0), 4.0, 1.0, Limit(4.0, HUNG, stalled=True)),
        (Limits(timeout=10.0, stall_after=5.0), 8.0, 1.0, Limit(2.0, TIMEOUT)),
        (Limits(10.0, 5.0, run_timeout=60.0, run_left=3.0), 1.0, 1.0, Limit(2.0, RUN, ends_run=True)),
        (Limits(run_timeout=60.0, run_left=3.0), 5.0, 5.0, Limit(-2.0, RUN, ends_run=True)),
    ],
)
def test_the_limit_that_comes_first(limits: Limits, worked: float, quiet: float, expected: Limit | None) -> None:
    assert limits.next(worked, quiet) == expected


def test_what_is_ended_at_a_limit_has_failed_unless_it_was_done() -> None:
    limit = Limit(0.0, RUN, ends_run=True)
    assert over_limit(Outcome("stopped", "cancelled", status=3), limit) == Outcome(
        "failed", RUN, status=3, ends_run=True
    )
    assert over_limit(Outcome("succeeded"), limit) == Outcome("succeeded")
    assert over_limit(Outcome("lost"), limit) == Outcome("lost")


def test_time_that_others_took_is_no_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 25."""

    class Losing(ThreadAttempt):
        lost = 3.0

        def __init__(self) -> None:
            pass

        def lost_to_others(self) -> float:
            return self.lost

    now = [100.0]
    monkeypatch.setattr("daemon.execution.attempt.monotonic", lambda: now[0])
    attempt = Losing()
    began = own_time(attempt)
    now[0], attempt.lost = 112.0, 7.0
    assert own_time(attempt) - began == 8.0
