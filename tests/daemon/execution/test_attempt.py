"""One attempt of a job: recorded before it starts, and ended when its time is up, its lease is lost, or its replica stops."""

import asyncio
import errno
import math
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from daemon import AsyncRun, Schedules
from daemon.execution import attempt
from daemon.execution.attempt import JobExecution, Limits, WorkOutlivesLease
from daemon.execution.held_run import HeldRun
from daemon.execution.writes.transactions import job_run_state
from daemon.jobs import runners
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.processes.spawn import ChildNotStarted
from daemon.jobs.reports import Outcome
from daemon.jobs.room import Room, Shortage, shortage
from daemon.jobs.runners import ChildAttempt
from daemon.operations.cancel import cancel
from daemon.telemetry.facts import JobEnded, JobStarted
from daemon.testing import ManualReplica, ManualStore
from daemon.testing.replica import TIMING
from lease.client import LeaseClient
from lease.timing import LeaseTiming
from tests.daemon.jobs.trust import a_page
from tests.support.manual import (
    HARD_PRESSED,
    ONE_O_CLOCK,
    SELDOM,
    Gate,
    a_held_run,
    almost_stale,
    facts_of,
    failing,
    job_runs,
    until,
)
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

NIGHTLY = "run/shop/nightly"
KEEPER = ProcessIdentity(4711, 99)


class Story:
    """An attempt of a job of a run that its replica holds."""

    def __init__(self, store: ManualStore, replica: ManualReplica, held: HeldRun) -> None:
        self.store = store
        self.replica = replica
        self.held = held
        self.trust = a_page(held.lease.trusted_until)
        (self.job,) = replica.application.schedules[0].jobs
        self.room = Room(10)
        self.execution = self.attempt(1)

    def attempt(self, number: int) -> JobExecution:
        return JobExecution(self.held, self.job, 0, number, self.trust, self.room, Limits(self.job.timeout))

    async def execute(self) -> Outcome:
        _, outcome = await asyncio.wait_for(self.execution.execute(), LIMIT)
        return outcome


@asynccontextmanager
async def a_story(
    work: Callable[[AsyncRun], Any] | str, *, timing: LeaseTiming = TIMING, **settings: Any
) -> AsyncIterator[Story]:
    schedules = Schedules("shop")
    builder = schedules.add("nightly", cron="0 2 * * *")
    if isinstance(work, str):
        builder.command("job", work, **settings)
    else:
        builder.job(name="job", **settings)(work)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules, timing=timing) as replica:
        story = Story(store, replica, await a_held_run(replica))
        try:
            yield story
        finally:
            story.trust.close()
            async with story.held.lease.ending():
                pass  # its work is over: the closing of the client does not wait for it


# What is recorded and reported


async def test_it_is_recorded_as_running_before_it_runs() -> None:
    gate = Gate()
    async with a_story(gate.passed) as story:
        executing = asyncio.create_task(story.execute())
        await gate.entered()
        (row,) = await job_runs(story.store)
        assert (row.job, row.attempt, row.state, row.token) == ("job", 1, "running", 1)
        assert row.keeper_pid is None
        gate.open()
        assert (await executing).state == "succeeded"


async def test_its_beginning_and_its_end_are_reported() -> None:
    async with a_story(failing) as story:
        outcome = await story.execute()
        assert outcome.state == "failed"
        assert (outcome.error or "").endswith("ValueError: no such customer\n")
        (started,), (ended,) = facts_of(story.replica, JobStarted), facts_of(story.replica, JobEnded)
        assert started.job == ended.job
        assert (ended.job.name, ended.job.attempt, ended.outcome, ended.error) == ("job", 1, "failed", outcome.error)


@pytest.mark.parametrize("state", ["lost", "stopped"])
async def test_of_a_run_that_another_replica_has_or_that_is_marked_as_cancelled_nothing_runs(state: Any) -> None:
    """Rules 10 and 23."""
    ran = list[object]()

    async def work(run: AsyncRun) -> None:
        ran.append(run)

    async with a_story(work, timing=SELDOM) as story:
        if state == "lost":
            await story.store.take_over(NIGHTLY)
        else:
            await story.store.write(lambda c: cancel(c, story.held.claimed.run_id, requested_by="bob"))
        assert await story.execution.execute() == (None, Outcome(state))
        assert (ran, facts_of(story.replica, JobStarted), await job_runs(story.store)) == ([], [], [])


async def test_the_last_progress_is_in_the_database_when_it_has_ended() -> None:
    async def work(run: AsyncRun) -> None:
        run.progress(1, 2)
        run.progress(2, 2, "all customers")

    async with a_story(work) as story:
        await story.execute()
        (row,) = await job_runs(story.store)
        assert (row.done, row.total, row.message) == (2, 2, "all customers")
        assert story.execution.take_progress() == {}


# What ends a task


async def test_work_that_was_done_before_its_lease_was_lost_is_done() -> None:
    """What can be written of it, the fence decides."""
    gate = Gate()

    async def work(_run: AsyncRun) -> None:
        try:
            await gate.passed()
        except asyncio.CancelledError:
            return

    async with a_story(work) as story:
        executing = asyncio.create_task(story.execute())
        await gate.entered()
        await story.store.take_over(NIGHTLY)
        assert (await executing).state == "succeeded"


@pytest.mark.usefixtures("passing_seconds")
@pytest.mark.parametrize("reason", ["after its timeout", "after it was cancelled", "although its lease was lost"])
async def test_a_task_that_does_not_end_when_it_must_ends_the_process(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 9: with the ttl, and not much before."""
    gate = Gate()

    async def stubborn(_run: AsyncRun) -> None:
        while not gate.is_open:
            try:
                await gate.passed()
            except asyncio.CancelledError:
                continue

    lost = reason == "although its lease was lost"
    timeout = "0.5s" if reason == "after its timeout" else None
    async with a_story(stubborn, timing=HARD_PRESSED, timeout=timeout) as story:
        if not lost:
            monkeypatch.setattr(LeaseClient, "timing", LeaseTiming("1.5s"))
        executing = asyncio.create_task(story.execute())
        await gate.entered()
        if lost:
            monkeypatch.setattr(attempt, "boottime", almost_stale)
            await story.store.take_over(NIGHTLY)
        elif timeout is None:
            story.held.cancel()
        with pytest.raises(WorkOutlivesLease, match=f"did not end {reason}$") as raised:
            await executing
        slack = HARD_PRESSED.ttl - HARD_PRESSED.give_up - HARD_PRESSED.kill_time
        assert raised.value.patience == (slack if lost else None), "so the process has ended when the ttl has"
        gate.open()


# Children; none is started here


class StandIn:
    """An attempt in a child, as far as `JobExecution` sees it."""

    keeper = KEEPER

    def __init__(self, *, refuses: Exception | None = None) -> None:
        self.asked: list[object] = []
        self.recorded: list[int | None] = []
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._refuses = refuses
        self.story: Story | None = None

    async def go(self) -> None:
        assert self.story is not None
        self.recorded = [row.keeper_pid for row in await job_runs(self.story.store)]
        self.asked.append("go")
        if self._refuses is not None:
            raise self._refuses

    async def wait(self) -> Outcome:
        return await self.ended

    def stop(self, kill_after: float) -> None:
        self.asked.append(("stop", kill_after))
        self.ended.set_result(Outcome("stopped"))

    def lost_to_others(self) -> float:
        return 0.0

    def blocks(self) -> bool:
        return False

    def kill(self) -> None:
        self.asked.append("kill")
        if not self.ended.done():
            self.ended.set_result(Outcome("stopped"))


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandIn]:
    """Let a command be this attempt; an error in its place is raised where the keeper would start."""

    def make(story: Story, *, prepare: Exception | None = None, go: Exception | None = None) -> StandIn:
        made = StandIn(refuses=go)
        made.story = story

        async def prepared(*_: object, **__: object) -> StandIn:
            if prepare is not None:
                raise prepare
            return made

        monkeypatch.setattr(ChildAttempt, "prepare", prepared)
        return made

    return make


async def test_the_keeper_is_recorded_before_the_child_runs(child: Callable[..., StandIn]) -> None:
    """Rule 18."""
    async with a_story("true") as story:
        made = child(story)
        made.ended.set_result(Outcome("succeeded"))
        assert (await story.execute()).state == "succeeded"
        assert (made.recorded, made.asked) == ([KEEPER.pid], ["go"])


async def test_a_child_whose_keeper_cannot_be_recorded_does_not_run(
    child: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is another replica's by then."""
    async with a_story("true", timing=SELDOM) as story:
        made = child(story)
        start_job = story.held.start_job

        async def lost_right_after(job: str, position: int, number: int) -> int | None:
            started = await start_job(job, position, number)
            await story.store.take_over(NIGHTLY)
            return started

        monkeypatch.setattr(story.held, "start_job", lost_right_after)
        assert (await story.execute()).state == "lost"
        assert made.asked == ["kill"]


@pytest.mark.parametrize("error", [ChildNotStarted("no such folder"), OSError(7, "Argument list too long")])
async def test_a_child_that_cannot_be_started_is_a_failed_attempt(
    error: Exception, child: Callable[..., StandIn]
) -> None:
    async with a_story("true") as story:
        child(story, prepare=error)
        outcome = await story.execute()
        assert outcome.state == "failed"
        assert str(error) in (outcome.error or "")


@pytest.mark.parametrize("at", ["prepare", "go"])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        RuntimeError("can't start new thread"),
        Shortage("no further process can be started"),
    ],
    ids=repr,
)
async def test_a_child_that_the_machine_has_no_room_for_is_stopped_and_uses_up_nothing(
    error: Exception, at: str, child: Callable[..., StandIn]
) -> None:
    """Rule 25."""
    async with a_story("true") as story:
        child(story, **{at: error})
        outcome = await story.execute()
        assert (outcome.state, job_run_state(outcome)) == ("no room", "stopped")
        assert outcome.error == str(shortage(error) or error)
        assert story.room.left == 0


async def test_an_error_that_is_no_shortage_stays_one(child: Callable[..., StandIn]) -> None:
    async with a_story("true") as story:
        child(story, go=RuntimeError("a bug"))
        with pytest.raises(RuntimeError, match="a bug"):
            await story.execute()
        assert story.room.left == 10


async def test_a_child_that_refuses_to_begin_after_trust_has_ended_is_lost_and_uses_up_nothing(
    child: Callable[..., StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that was paused comes too late."""
    async with a_story("true") as story:
        made = child(story, go=ChildNotStarted("its lease can no longer be trusted"))
        assert (await story.execute()).state == "failed"
        made.asked.clear()
        monkeypatch.setattr(attempt, "boottime", lambda: story.held.lease.trusted_until)
        _, outcome = await story.attempt(2).execute()
        assert (outcome.state, made.asked) == ("lost", ["go"])


async def test_a_function_that_was_not_called_has_exceeded_no_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its replica was paused for longer than that, just before its thread came to it: no attempt is used up."""
    called, timed_out = list[object](), threading.Event()

    def after_the_timeout() -> float:
        assert timed_out.wait(LIMIT)
        return math.inf

    async with a_story(called.append, isolation="thread", timeout=0.1) as story:
        monkeypatch.setattr(runners.ThreadAttempt, "kill", lambda _: timed_out.set())
        monkeypatch.setattr(runners, "boottime", after_the_timeout)
        outcome = await story.execute()
        assert (outcome.state, outcome.error, called) == ("lost", None, [])


@pytest.mark.parametrize("isolation", ["task", "thread"])
async def test_a_function_in_a_replica_that_was_paused_since_its_claim_is_not_called(
    isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 2: the attempt was recorded with the claim, and nothing since has asked the database.

    Also one that was paused while the function's thread came to it: this is asked in that thread.
    """
    called = list[object]()

    async def task(run: AsyncRun) -> None:
        called.append(run)

    async with a_story(task if isolation == "task" else called.append, isolation=isolation) as story:
        monkeypatch.setattr(runners, "boottime", lambda: story.held.lease.trusted_until)
        outcome = await story.execute()
        assert (outcome.state, job_run_state(outcome), called) == ("lost", "stopped", [])


@pytest.mark.parametrize("state", ["stopped", "failed", "lost"])
async def test_a_child_has_kill_time_to_end_but_is_killed_at_once_if_its_lease_is_lost(
    state: str, child: Callable[..., StandIn]
) -> None:
    async with a_story("true", timeout="0.01s" if state == "failed" else None) as story:
        made = child(story)
        executing = asyncio.create_task(story.execute())
        await until(lambda: made.asked, "the child runs")
        if state == "stopped":
            story.held.stop()
        elif state == "lost":
            await story.store.take_over(NIGHTLY)
        outcome = await executing
        assert outcome.state == state
        assert ("timeout of 0.01s" in (outcome.error or "")) == (state == "failed")
        kill_time = story.replica.context.client.timing.kill_time
        assert made.asked == ["go", "kill" if state == "lost" else ("stop", kill_time)]
