"""One run, from its claim to its end: what its jobs come to, where it goes on, and what is told of a loss (rules 9 and 14 to 16);
a retry at work, and the key that a job is given (docs/how-to/schedules/write-a-safe-job.md).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import update

import lease.statements
from daemon import AsyncRun, Schedules
from daemon.execution.context import LossNote, LossNotes
from daemon.instants import parse_instant
from daemon.jobs.brief import idempotency_key
from daemon.operations.backfill import backfill
from daemon.operations.backfill_plan import Wanted
from daemon.operations.retry import Retry, retry
from daemon.recovery.settle import settle
from daemon.store.tables import job_run
from daemon.store.views.history import JobRunLine
from daemon.telemetry.facts import RunEnded, WriteRefused
from daemon.testing import ManualReplica, ManualStore
from lease.database.database import Database
from lease.database.dialects import later, now
from lease.model import Grant, Loss, LossKind
from tests.support.manual import (
    ONE_O_CLOCK,
    SELDOM,
    Gate,
    a_shop,
    add_schedule,
    at_work,
    facts_of,
    failing,
    lease_of,
    nothing,
    until,
)

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


# What is recorded of a loss


pytestmark = pytest.mark.anyio


@dataclass
class Story:
    """A run at work, whose replica loses its lease."""

    store: ManualStore
    replica: ManualReplica
    run_id: int
    taken: Grant | None = None

    async def lose(self) -> None:
        """Lose the lease to another replica; the work ends when it is told so."""
        (claimed,) = self.replica.replica.runs.claimed
        self.taken = await self.store.take_over(claimed.grant.name)

    async def attempt(self) -> JobRunLine:
        (first, *_) = (await self.replica.read(self.run_id)).jobs
        return first


@asynccontextmanager
async def a_story() -> AsyncIterator[Story]:
    async with at_work(Gate()) as (replica, run_id):
        await replica.store.write(lambda c: c.execute(update(job_run).values(started_at=later(now(), -60.0))))
        yield Story(replica.store, replica, run_id)


async def test_an_attempt_whose_lease_was_stolen_says_by_whom_and_ends_with_its_work() -> None:
    async with a_story() as story:
        await story.lose()
        await story.replica.wait_for(story.run_id)
        (ended,) = facts_of(story.replica, RunEnded)
        assert (ended.outcome, ended.reason) == ("lost", "stolen by another replica with token 2")
        assert len(facts_of(story.replica, WriteRefused)) == 1
        story.store.clock.advance("1h")
        await story.store.write(settle)
        attempt = await story.attempt()
        assert (attempt.state, attempt.lost_by) == ("stopped", "ended")
        assert attempt.lost_why == "stolen by another replica with token 2"
        assert attempt.seconds == pytest.approx(60, abs=20), "not an hour, after which it was settled"


async def test_what_cannot_be_recorded_while_the_database_is_away_is_recorded_afterwards() -> None:
    async with a_story() as story:
        await story.lose()
        story.store.available = False
        runs = story.replica.replica.runs
        await until(lambda: not runs.claimed, "its work has ended")
        story.store.available = True
        assert (await story.attempt()).lost_why is None
        context = story.replica.context
        await context.losses.write(context.database)
        assert (await story.attempt()).lost_why == "stolen by another replica with token 2"
        await context.losses.write(context.database)


async def test_losses_at_one_moment_are_written_together() -> None:
    """A replica loses all that it has when its database is away, and each write is a transaction."""
    written: list[int] = []

    class SlowDatabase:
        async def write(self, _: object) -> None:
            written.append(1)
            await asyncio.sleep(0)

    notes, database = LossNotes(), cast("Database", SlowDatabase())

    async def lose(number: int) -> None:
        grant = Grant(f"run/shop/{number}", 1, "h1")
        notes.add(LossNote(number, grant, Loss(grant, LossKind.UNREACHABLE, "database unreachable"), 0.0))
        await notes.write(database)

    await asyncio.gather(*(lose(number) for number in range(100)))
    assert len(written) <= 2
    await notes.write(database)
    assert len(written) <= 2, "nothing is left"


async def test_a_run_that_was_handed_back_after_a_loss_shows_the_loss_of_that_attempt_alone() -> None:
    async with a_story() as story:
        await story.lose()
        await story.replica.wait_for(story.run_id)
        assert story.taken is not None
        taken = story.taken
        await story.store.write(lambda connection: lease.statements.release(connection, taken))
        await story.store.write(settle)
        run = await story.replica.read(story.run_id)
        assert (run.state, [job.lost_by for job in run.jobs]) == ("pending", ["ended"])


# A retry at work


class Bank:
    """Three jobs, of which the second fails as long as the bank is away, and what they saw."""

    def __init__(self) -> None:
        self.is_away = True
        self.seen: list[tuple[str, str, str, int]] = []
        self.shop = Schedules("shop")
        self.nightly = self.shop.add("nightly", cron="0 2 * * *", params={"customer": 7})
        for name in ("fetch", "pay", "report"):
            self.nightly.job(name=name)(self.named(name))

    def named(self, name: str) -> Callable[[AsyncRun], Awaitable[None]]:
        async def job(run: AsyncRun) -> None:
            self.seen.append((name, str(run.scheduled_for), run.idempotency_key, run.params["customer"]))
            if name == "pay" and self.is_away:
                raise OSError("the bank is away")

        return job


async def retried(store: ManualStore, run_id: int, from_job: str | None = None) -> Retry:
    return await store.write(lambda c: retry(c, run_id, requested_by="ada", from_job=from_job))


@pytest.mark.parametrize("due", [True, False])
async def test_a_retry_does_what_is_left_as_the_same_occurrence(due: bool) -> None:
    bank = Bank()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, bank.shop) as replica:
        if due:
            await replica.advance_to_next_due()
            (first,) = await replica.work()
        else:
            first = await replica.run_once("nightly", {"customer": 8})
        assert first.state == "failed"
        again = await retried(store, first.run.run_id)
        (second,) = await replica.work()
        assert (second.run.run_id, second.state) == (again.run_id, "failed")
        bank.is_away = False
        store.clock.advance(60.0)
        await retried(store, again.run_id)
        (third,) = await replica.work()
        assert third.state == "succeeded"
        assert third.run.scheduled_for == first.run.scheduled_for
    assert [name for name, *_ in bank.seen] == ["fetch", "pay", "pay", "pay", "report"]
    assert len({(instant, key, customer) for name, instant, key, customer in bank.seen if name == "pay"}) == 1
    assert len({(instant, customer) for _, instant, _, customer in bank.seen}) == 1


async def test_from_a_job_on_it_runs_that_and_all_that_follow_again() -> None:
    bank = Bank()
    bank.is_away = False
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, bank.shop) as replica:
        first = await replica.run_once("nightly")
        again = await retried(store, first.run.run_id, "pay")
        (second,) = await replica.work()
        assert (second.run.run_id, second.state) == (again.run_id, "succeeded")
        assert [(job.job, job.carried_from, job.attempt) for job in second.jobs] == [
            ("fetch", first.run.run_id, 1),
            ("pay", None, 1),
            ("report", None, 1),
        ]
    assert [name for name, *_ in bank.seen] == ["fetch", "pay", "report", "pay", "report"]
    keys = [key for _, _, key, _ in bank.seen]
    assert keys[1:3] == keys[3:]


# The key that a job is given


TWO_O_CLOCK = parse_instant("2026-07-01T02:00:00Z")
DAY = timedelta(days=1)


async def test_what_resumes_after_a_loss_and_what_is_tried_again_has_the_key_of_the_first_attempt() -> None:
    gate, seen = Gate(), list[tuple[int, str]]()

    async def work(run: AsyncRun) -> None:
        seen.append((run.attempt, run.idempotency_key))
        if run.attempt == 1:
            await gate.passed()  # until its lease is lost
        if run.attempt == 2:
            raise OSError("the bank is away")

    shop = Schedules("shop", retries=1)
    add_schedule(shop, "nightly", work)
    async with ManualStore(TWO_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        await replica.lose_lease(run_id)
        await replica.work()
        await replica.advance_to_next_due()
        (run,) = await replica.work()
        assert [job.state for job in run.jobs] == ["stopped", "failed", "succeeded"]
    assert [attempt for attempt, _ in seen] == [1, 2, 3]
    assert {key for _, key in seen} == {idempotency_key("shop", "nightly", run_id, "job1")}


async def test_a_backfill_has_the_key_of_its_time_and_each_request_one_of_its_own() -> None:
    seen: list[tuple[str, str]] = []

    async def work(run: AsyncRun) -> None:
        seen.append((f"{run.scheduled_for:%d}", run.idempotency_key))

    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(work, catch_up="skip")) as replica:
        store.clock.set(TWO_O_CLOCK + 2.5 * DAY)  # three are missed
        assert await replica.work() == []
        days = Wanted("shop", "nightly", TWO_O_CLOCK, TWO_O_CLOCK + DAY)
        await store.write(lambda connection: backfill(connection, days, requested_by="ann"))
        await replica.work()
        requested = [await replica.trigger("nightly") for _ in range(2)]
        await replica.work()
    of_time = [("01", TWO_O_CLOCK), ("02", TWO_O_CLOCK + DAY)]
    assert seen[:2] == [(day, idempotency_key("shop", "nightly", at, "job1")) for day, at in of_time]
    assert [key for _, key in seen[2:]] == [idempotency_key("shop", "nightly", run_id, "job1") for run_id in requested]
    assert len({key for _, key in seen}) == 4
