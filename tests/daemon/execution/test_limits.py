"""Which limit ends an attempt, and what that means for it and for its run: `run_timeout` bounds a run, `stall_after` a job that
shows no progress; a thread hears that it must end.
"""

import asyncio
import threading
import time
from typing import Any

import pytest

from daemon import AsyncRun, Run, Schedules
from daemon.execution.attempt import Limit, Limits, WorkOutlivesLease, over_limit, own_time
from daemon.jobs.reports import Outcome
from daemon.jobs.runners import ChildAttempt, ThreadAttempt
from daemon.telemetry.facts import JobPrinted, JobProgressed
from daemon.testing import ManualReplica, ManualStore
from lease.client import LeaseClient
from lease.errors import LeaseLost
from lease.timing import LeaseTiming
from tests.daemon.execution.test_attempt import StandIn
from tests.support.manual import HARD_PRESSED, ONE_O_CLOCK, Gate, a_shop, facts_of, failing, nothing, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

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


# In a replica


OVER = "the run exceeded its run_timeout of {}"


async def test_what_is_at_work_is_stopped_when_the_time_of_its_run_is_over_and_nothing_more_is_started() -> None:
    gate = Gate()
    shop = a_shop(gate.passed, nothing, run_timeout="0.1s", on_failure="continue")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, run.run.reason) == ("failed", OVER.format("0.1s"))
        assert [(job.job, job.state) for job in run.jobs] == [("job1", "failed"), ("job2", "not started")]


async def test_it_counts_from_the_first_start_of_the_run_with_the_waits_between_its_attempts() -> None:
    """By the database's clock; a run that is resumed too late starts no job."""
    gate = Gate()
    shop = a_shop(nothing, gate.passed, nothing, run_timeout="1h")
    async with ManualStore(ONE_O_CLOCK) as store:
        async with ManualReplica(store, shop) as replica:
            run_id = await replica.trigger("nightly")
            await replica.tick()
            await gate.entered()
            await replica.stop()
        store.clock.advance("59m")
        async with ManualReplica(store, shop) as replica:
            await replica.tick()
            await until(lambda: len(replica.replica.runs), "it goes on: there is time left")
            await replica.stop()
        store.clock.advance("61s")
        async with ManualReplica(store, shop) as replica:
            await replica.work()
            run = await replica.read(run_id)
        assert (run.state, run.run.reason) == ("failed", OVER.format("1h"))
        assert [job.state for job in run.jobs if job.job == "job3"] == ["not started"]


async def test_a_retry_that_would_come_too_late_is_not_waited_for() -> None:
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", run_timeout="1m").job(retries=3, backoff="2m", name="job")(failing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        run = await replica.run_once("nightly")
        assert run.state == "failed"
        assert "no such customer; a retry would exceed its run_timeout" in (run.run.reason or "")


async def test_a_job_that_shows_no_progress_is_hung_and_tried_again() -> None:
    gate, attempts = Gate(), list[int]()

    async def work(run: AsyncRun) -> None:
        attempts.append(run.attempt)
        if run.attempt == 1:
            await gate.passed()

    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", stall_after="0.1s").job(retries=1, backoff="0s", name="job")(work)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, attempts) == ("succeeded", [1, 2])
        assert [job.error for job in run.jobs] == ["the job hung: it showed no progress for 0.1s (stall_after)", None]


@pytest.mark.usefixtures("passing_seconds")
async def test_a_job_that_shows_progress_is_not_hung() -> None:
    async def work(run: AsyncRun) -> None:
        while len(facts_of(replica, JobProgressed)) < 120:
            run.progress(1)
            await asyncio.sleep(0.01)

    shop = a_shop(work, stall_after="1s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        assert (await replica.run_once("nightly")).state == "succeeded"


class Printing(StandIn):
    """A command that prints, without a process."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self._output = output

    async def go(self) -> None:
        pass

    async def wait(self) -> Outcome:
        for _ in range(120):
            self._output.feed(b"a line\n")
            await asyncio.sleep(0.01)
        return await self.ended


@pytest.mark.usefixtures("passing_seconds")
async def test_each_line_of_its_output_is_progress_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepared(*_: object, output: Any, **__: object) -> Printing:
        return Printing(output)

    monkeypatch.setattr(ChildAttempt, "prepare", prepared)
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *", stall_after="1s").command("job", "true")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        run = await replica.run_once("nightly")
        assert len(facts_of(replica, JobPrinted)) == 120
        assert run.jobs[0].error == "the job hung: it showed no progress for 1s (stall_after)"


# A thread of its own


def a_threaded(work: Any, **settings: Any) -> Schedules:
    schedules = Schedules("shop")
    schedules.add("nightly", cron="0 2 * * *").job(isolation="thread", name="job", **settings)(work)
    return schedules


async def test_a_function_runs_in_a_thread_on_request() -> None:
    ran = list[str]()

    def work(run: Run) -> None:
        ran.append(threading.current_thread().name)
        run.log.info("half way")
        run.progress(1, 2)

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_threaded(work)) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, ran, run.jobs[0].log_tail) == ("succeeded", ["leased-job-job"], "half way\n")
        assert [fact.done for fact in facts_of(replica, JobProgressed)] == [1]


async def test_an_error_of_it_fails_the_attempt_and_sys_exit_0_does_not() -> None:
    def leave(_: Run) -> None:
        raise SystemExit(0)

    def fail(_: Run) -> None:
        raise ValueError("no such customer")

    for work, state in ((leave, "succeeded"), (fail, "failed")):
        async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_threaded(work)) as replica:
            assert (await replica.run_once("nightly")).state == state


async def test_ensure_says_in_a_thread_that_its_time_is_over() -> None:
    said = list[str]()

    def work(run: Run) -> None:
        while True:
            try:
                run.ensure()
            except LeaseLost as error:
                said.append(str(error))
                raise
            time.sleep(0.001)

    shop = a_threaded(work, timeout="0.1s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, run.jobs[0].error) == ("failed", "the job exceeded its timeout of 0.1s")
        assert said == ["this job must stop: it has timed out, its replica is stopping, or its run was cancelled"]


@pytest.mark.usefixtures("passing_seconds")
async def test_a_thread_that_does_not_end_at_its_timeout_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 9."""
    gate = threading.Event()

    def work(_: Run) -> None:
        gate.wait(LIMIT)

    shop = a_threaded(work, timeout="0.1s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, timing=HARD_PRESSED) as replica:
        monkeypatch.setattr(LeaseClient, "timing", LeaseTiming("1.5s"))
        await replica.trigger("nightly")
        await replica.tick()
        runs = replica.replica.runs
        await asyncio.wait_for(runs.failed.wait(), LIMIT)
        assert isinstance(runs.failure, WorkOutlivesLease)
        assert str(runs.failure) == 'job "job" did not end after its timeout'
        with pytest.raises(RuntimeError, match="the replica would end here"):
            await replica.work()
        gate.set()
        runs.failure = None
