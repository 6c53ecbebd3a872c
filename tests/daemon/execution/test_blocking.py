"""An async job that blocks the event loop fails alone; its neighbours lose no time by it (rule 25)."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from daemon import Schedules
from daemon.execution.attempt import WorkOutlivesLease
from daemon.jobs import task_thread
from daemon.recovery.settle import settle_dead
from daemon.service.replica import Readiness
from daemon.store.tables import job_run, run
from daemon.store.tables import replica as replicas
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from daemon.telemetry.facts import LoopBlocked
from daemon.testing import ManualReplica, ManualStore
from lease.timing import LeaseTiming
from tests.daemon.jobs.test_loop_watch import HERE, LINE, Blocker
from tests.support.manual import ONE_O_CLOCK, facts_of, nothing, until
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

SHORT = LeaseTiming("15s", renew_every="0.1s", kill_time="0.1s")
"""A job that was told to end gets little time for it."""


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blocker]:
    monkeypatch.setattr(task_thread, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(task_thread, "NAMED_AFTER", 0.05)
    made = Blocker()
    yield made
    made.gate.set()


async def spin(_run: object) -> None:
    while True:
        pass


def a_shop(**jobs: tuple[Callable[..., Any], str]) -> Schedules:
    """Return an application with a schedule per job, which is a function and its timeout."""
    schedules = Schedules("shop")
    for name, (function, timeout) in jobs.items():
        schedules.add(name, cron="0 2 * * *").job(name=name, timeout=timeout)(function)
    return schedules


async def test_a_job_that_blocks_in_python_fails_at_its_timeout(fault: Blocker) -> None:
    shop = a_shop(spinning=(spin, "0.1s"), innocent=(nothing, "1m"))
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        failed = await replica.run_once("spinning")
        assert (failed.state, failed.jobs[0].error) == ("failed", "the job exceeded its timeout of 0.1s")
        assert (await replica.run_once("innocent")).state == "succeeded"


@pytest.mark.usefixtures("passing_seconds")
async def test_the_time_for_which_another_blocks_counts_against_no_timeout(fault: Blocker) -> None:
    began, done = threading.Event(), threading.Event()

    async def innocent(_run: object) -> None:
        began.set()
        while not done.is_set():  # noqa: ASYNC110 - the test is in another loop
            await asyncio.sleep(0.001)

    shop = a_shop(blocking=(fault.job, "1m"), innocent=(innocent, "2s"))
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        run_id = await replica.trigger("innocent")
        await replica.tick()
        await until(began.is_set, "it is at work")
        blocking_id = await replica.trigger("blocking")
        await replica.tick()
        tasks = replica.context.tasks
        await until(lambda: tasks.held_up > 2.1, "its timeout has passed")
        fault.gate.set()
        assert (
            await replica.wait_for(blocking_id)
        ).state == "succeeded"  # the loop goes on: a cancellation would be done
        done.set()
        assert (await replica.wait_for(run_id)).state == "succeeded"


async def test_who_blocks_is_in_readyz_and_in_status_until_it_goes_on(fault: Blocker) -> None:
    shop = a_shop(blocking=(fault.job, "1m"))
    steady = LeaseTiming("10m")  # an overloaded machine may be away for a shorter one
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, timing=steady) as replica:
        context = replica.context
        run_id = await replica.trigger("blocking")
        await replica.tick()
        await until(lambda: facts_of(replica, LoopBlocked), "it is named")
        said = Readiness(replica.replica).blocked()
        assert said is not None
        assert said.startswith('job "blocking" of "blocking" (run 1) is blocking the event loop')
        assert f"{HERE}:{LINE}, in Blocker.block" in said
        await replica.replica._check_in.touch()
        found = problems(await store.read(read_overview))
        assert [(one.kind, one.text.partition(": ")[2]) for one in found] == [("blocked", said)]
        fault.gate.set()
        await replica.wait_for(run_id)
        await until(lambda: context.tasks.blocked() is None, "the loop goes on")
        await replica.replica._check_in.touch()
        assert problems(await store.read(read_overview)) == ()


@pytest.mark.usefixtures("passing_seconds")
async def test_where_only_the_end_of_the_process_ends_it_the_others_use_up_nothing(fault: Blocker) -> None:
    """Rules 9 and 16; whoever settles them ends the blocker as its timeout would have."""

    async def innocent(_run: object) -> None:
        await asyncio.sleep(LIMIT)

    shop = a_shop(blocking=(fault.job, "0.2s"), innocent=(innocent, "1m"))
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, timing=SHORT) as replica:
        for name in ("blocking", "innocent"):
            await replica.trigger(name)
        await replica.tick()
        runs = replica.replica.runs
        grants = [one.grant for one in runs.claimed]
        await asyncio.wait_for(runs.failed.wait(), LIMIT)
        assert isinstance(runs.failure, WorkOutlivesLease)
        assert str(runs.failure) == 'job "blocking" did not end after its timeout'
        (state,) = await store.read(lambda c: list(c.scalars(select(replicas.c.state))))
        assert state == "stopped"
        await store.write(lambda c: settle_dead(c, grants))
        rows = await store.read(lambda c: c.execute(select(run).order_by(run.c.schedule)).all())
        assert [(row.schedule, row.state, row.abandoned) for row in rows] == [
            ("blocking", "failed", 0),
            ("innocent", "pending", 0),
        ]
        assert rows[0].reason == 'job "blocking" failed: the job exceeded its timeout of 0.2s'
        jobs = await store.read(lambda c: c.execute(select(job_run.c.job, job_run.c.state, job_run.c.error)).all())
        assert sorted(map(tuple, jobs)) == [
            ("blocking", "failed", "the job exceeded its timeout of 0.2s"),
            ("innocent", "stopped", None),
        ]
        runs.failure = None
        fault.gate.set()
