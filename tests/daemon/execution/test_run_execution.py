"""One run, from its claim to its end: what its jobs come to, and where it goes on (rules 14 to 16)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon import AsyncRun, Schedules
from daemon.telemetry.facts import RunEnded, WriteRefused
from daemon.testing import ManualReplica, ManualStore
from tests.support.manual import ONE_O_CLOCK, SELDOM, Gate, a_shop, at_work, facts_of, failing, lease_of, nothing

pytestmark = pytest.mark.anyio

NIGHTLY = "run/shop/nightly"


class Work:
    """Jobs that note when they run."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def named(self, name: str, then: Callable[[AsyncRun], Any] = nothing) -> Callable[[AsyncRun], Any]:
        async def job(run: AsyncRun) -> None:
            self.done.append(f"{name} under {run.token}")
            await then(run)

        return job


async def test_a_job_that_fails_for_good_ends_the_run_and_the_rest_is_not_started() -> None:
    shop = a_shop(nothing, failing, nothing)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, run.run.reason) == ("failed", 'job "job2" failed: ValueError: no such customer')
        assert [(job.job, job.state) for job in run.jobs] == [
            ("job1", "succeeded"),
            ("job2", "failed"),
            ("job3", "not started"),
        ]


async def test_with_continue_the_others_run_and_the_run_fails() -> None:
    shop = a_shop(failing, nothing, failing, nothing, on_failure="continue")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run = await replica.run_once("nightly")
        assert (run.state, run.run.reason) == ("failed", 'jobs "job1", "job3" failed')
        assert [job.state for job in run.jobs] == ["failed", "succeeded", "failed", "succeeded"]


# Retries


async def test_a_retry_waits_by_the_clock_of_the_database_and_holds_no_lease() -> None:
    schedules = Schedules("shop")
    work = Work()
    nightly = schedules.add("nightly", cron="0 2 * * *")
    nightly.job(name="customers", timeout="1m")(work.named("customers"))
    nightly.job(name="orders", timeout="1m", retries=1, backoff="10s")(work.named("orders", failing))
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules) as replica:
        run = await replica.run_once("nightly")
        assert run.state == "pending"
        assert run.available_at is not None
        assert timedelta(seconds=10) <= run.available_at - store.clock.now <= timedelta(seconds=12)
        assert (await lease_of(store, NIGHTLY)).holder is None
        (ended,) = facts_of(replica, RunEnded)
        assert ended.outcome == "pending"
        assert (ended.reason or "").startswith('job "orders" failed: ValueError: no such customer; retry in 1')

        store.clock.advance("9s")
        assert await replica.work() == [], "not before its time"
        store.clock.advance("3s")
        (run,) = await replica.work()
        assert (run.state, [job.attempt for job in run.jobs]) == ("failed", [1, 1, 2])
        assert work.done == ["customers under 1", "orders under 1", "orders under 2"], "what is done is not done again"


# Resuming


async def test_another_replica_resumes_at_the_first_job_that_is_not_done() -> None:
    gate, work = Gate(), Work()
    shop = a_shop(work.named("customers"), work.named("orders", gate.passed), work.named("prices"))
    store = ManualStore(ONE_O_CLOCK)
    async with store, ManualReplica(store, shop) as one, ManualReplica(store, shop) as other:
        run_id = await one.trigger("nightly")
        await one.tick()
        await gate.entered()
        await one.stop()
        assert (await one.read(run_id)).state == "pending"
        gate.open()
        (run,) = await other.work()
        assert run.state == "succeeded"
        assert work.done == ["customers under 1", "orders under 1", "orders under 2", "prices under 2"]
        assert [(job.job, job.state, job.attempt) for job in run.jobs] == [
            ("job1", "succeeded", 1),
            ("job2", "stopped", 1),
            ("job2", "succeeded", 2),
            ("job3", "succeeded", 1),
        ]


async def test_with_continue_a_job_that_failed_for_good_stays_failed_when_the_run_is_resumed() -> None:
    gate = Gate()
    shop = a_shop(failing, gate.passed, on_failure="continue")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as one:
        await one.trigger("nightly")
        await one.tick()
        await gate.entered()
        await one.stop()
        gate.open()
        async with ManualReplica(store, shop) as other:
            (run,) = await other.work()
            assert (run.state, run.run.reason) == ("failed", 'job "job1" failed')
            assert [job.state for job in run.jobs] == ["failed", "stopped", "succeeded"]


# Jobs that are gone (rule 22)


def nightly(**jobs: Callable[[AsyncRun], Any]) -> Schedules:
    """Return the application with these jobs, each of which may be retried once."""
    schedules = Schedules("shop")
    builder = schedules.add("nightly", cron="0 2 * * *")
    for name, job in jobs.items():
        builder.job(name=name, timeout="1m", retries=1, backoff="10s")(job)
    return schedules


async def test_a_job_that_waits_for_its_retry_and_is_gone_fails_the_run() -> None:
    """Nothing that failed ever disappears."""
    work = Work()
    async with ManualStore(ONE_O_CLOCK) as store:
        async with ManualReplica(store, nightly(customers=nothing, extract=failing, load=work.named("load"))) as old:
            assert (await old.run_once("nightly")).state == "pending"
        store.clock.advance("13s")
        async with ManualReplica(store, nightly(customers=nothing, load=work.named("load"))) as new:
            (run,) = await new.work()
    assert (run.state, run.run.reason) == ("failed", 'job "extract" failed and is no longer defined')
    assert [(job.job, job.state) for job in run.jobs] == [
        ("customers", "succeeded"),
        ("extract", "failed"),
        ("load", "not started"),
    ]
    assert work.done == []


# Loss


@pytest.mark.parametrize("jobs", [1, 2], ids=["in its last job", "between two jobs"])
async def test_a_run_that_another_replica_has_gets_no_further_and_says_so(jobs: int) -> None:
    """Rule 10: the write is refused, and reported; the work of the jobs to come is left to the other."""
    gate, work = Gate(), Work()
    shop = a_shop(gate.passed, *[work.named("orders")] * (jobs - 1))
    async with at_work(gate, shop, timing=SELDOM) as (replica, run_id):
        await replica.store.take_over(NIGHTLY)
        gate.open()
        run = await replica.wait_for(run_id)
        assert (run.state, [job.state for job in run.jobs]) == ("running", ["running"]), "nothing was written"
        assert work.done == []
        runs = replica.replica.runs
        assert (runs.lost, runs.refused, runs.executed, runs.tally) == (1, 1, [run_id], {"lost": 1})
        (refused,), (ended,) = facts_of(replica, WriteRefused), facts_of(replica, RunEnded)
        assert "has token 2 and is held by another replica" in refused.who
        assert (ended.outcome, ended.reason) == ("lost", "this replica no longer holds the run")


async def test_a_run_that_lost_its_lease_to_nobody_is_handed_back_when_its_work_has_ended() -> None:
    """So it goes when trust has ended in an outage that is over: nobody has to wait for the ttl."""
    gate = Gate()
    async with at_work(gate) as (replica, run_id):
        (execution,) = replica.replica.runs._executions.values()
        execution.held.lost.set_result(None)
        run = await replica.wait_for(run_id)
        assert (run.state, run.jobs[0].state) == ("pending", "stopped")
        assert (await lease_of(replica.store, NIGHTLY)).holder is None
        assert [fact.outcome for fact in facts_of(replica, RunEnded)] == ["lost"]
