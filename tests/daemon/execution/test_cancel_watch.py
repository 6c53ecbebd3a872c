"""The watch for cancelled runs: it stops their jobs, asks nothing while none is at work, and goes on after an outage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from daemon.execution.run_execution import CancelWatch
from daemon.operations.cancel import cancel
from daemon.operations.look import ask, read_look
from daemon.telemetry.facts import RunCancelled, RunEnded
from daemon.testing import ManualReplica, ManualStore
from lease.timing import LeaseTiming
from tests.support.manual import ONE_O_CLOCK, CountingStore, Gate, a_shop, at_work, facts_of, told, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

OFTEN = LeaseTiming("15s", renew_every="0.01s")


@asynccontextmanager
async def watched(replica: ManualReplica) -> AsyncIterator[list[int]]:
    """Watch for the runs at work in a replica, and for one that only the watch takes to be at work."""
    runs, more = replica.replica.runs, list[int]()
    watch = CancelWatch(replica.context, lambda: [*more, *(run.run_id for run in runs.claimed)], runs.execution)
    watching = asyncio.create_task(watch.watch())
    try:
        yield more
    finally:
        watching.cancel()


async def marked(store: ManualStore, run_id: int) -> None:
    await store.write(lambda c: cancel(c, run_id, requested_by="bob", why="it hangs"))


async def test_the_job_of_a_marked_run_is_stopped_and_no_other_starts() -> None:
    gate, second = Gate(), Gate()
    shop = a_shop(gate.passed, second.passed)
    async with at_work(gate, shop, timing=OFTEN) as (replica, run_id), watched(replica):
        await marked(replica.store, run_id)
        run = await replica.wait_for(run_id)
        assert (run.state, run.run.reason) == ("cancelled", "cancelled by bob: it hangs")
        assert [(job.job, job.state) for job in run.jobs] == [("job1", "stopped")]
        (heard,), (ended,) = facts_of(replica, RunCancelled), facts_of(replica, RunEnded)
        assert (heard.run.run_id, heard.by, heard.why) == (run_id, "bob", "it hangs")
        assert (ended.outcome, ended.reason) == ("cancelled", "cancelled by bob: it hangs")


async def test_while_no_run_is_at_work_nothing_is_asked() -> None:
    asked = list[int]()
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(), timing=OFTEN) as replica:
        store.reads = 0

        def at_work() -> list[int]:
            asked.append(0)
            return []

        watching = asyncio.create_task(CancelWatch(replica.context, at_work, replica.replica.runs.execution).watch())
        await until(lambda: len(asked) > 3, "it has come round")
        watching.cancel()
        assert store.reads == 0


async def test_neither_an_outage_nor_an_error_of_ours_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    shop = a_shop(gate.passed)
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, timing=OFTEN) as replica:
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        await marked(store, run_id)
        store.available = False
        async with watched(replica):
            store.reads = 0
            await until(lambda: store.reads > 2, "it has asked in the outage")
            with monkeypatch.context() as broken:
                broken.setattr("daemon.store.statements.run.find_told", lambda *_: 1 // 0)
                store.available = True
                await until(lambda: told(replica.facts, "internal error in leased; runs continue"), "the error is told")
            assert (await replica.wait_for(run_id)).state == "cancelled"


async def test_who_asks_what_a_run_does_gets_the_answer_of_its_replica_and_the_job_goes_on() -> None:
    gate = Gate()
    shop = a_shop(gate.passed)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, timing=OFTEN) as replica:
        runs = replica.replica.runs
        watch = CancelWatch(replica.context, runs.ids, runs.execution)
        run_id = await replica.trigger("nightly")
        await replica.tick()
        await gate.entered()
        question = await store.write(lambda c: ask(c, run_id, requested_by="bob"))
        await watch.look()
        await watch.look()
        found = None
        async with asyncio.timeout(LIMIT):
            while found is None:
                await asyncio.sleep(0.001)
                found = await store.read(lambda c: read_look(c, question))
        assert (found.job, found.isolation, found.stacks[0].of) == ("job1", "task", "the job's task")
        assert found.stacks[0].frames[0].endswith("in Gate.passed")
        assert len(told(replica.facts, f"bob asked for the stack of run {run_id}")) == 1, "it is under way only once"
        gate.open()
        assert (await replica.wait_for(run_id)).state == "succeeded"
