"""A run in a replica's hands: its writes go on through an outage, and end with its lease (rules 9 and 10)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection, select

import lease.statements
from daemon.execution.held_run import HeldRun
from daemon.execution.writes.transactions import EndedJob, EndRun
from daemon.jobs.processes.identity import ProcessIdentity
from daemon.jobs.reports import Outcome
from daemon.store.tables import run
from daemon.telemetry.facts import WriteRefused
from daemon.testing import ManualReplica, ManualStore
from lease.timing import LeaseTiming
from lease.waiters import Waiters
from tests.support.manual import (
    ONE_O_CLOCK,
    SELDOM,
    CountingStore,
    a_held_run,
    a_shop,
    facts_of,
    job_runs,
    lease_of,
    until,
)
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

NIGHTLY = "run/shop/nightly"
SUCCEEDED = Outcome("succeeded")

Write = Callable[[HeldRun], Awaitable[object]]
WRITES: dict[str, Write] = {
    "start_job": lambda held: held.start_job("job1", 0, 1),
    "record_keeper": lambda held: held.record_keeper(1, ProcessIdentity(4711, 99)),
    "finish_job": lambda held: held.finish_job(EndedJob(1, SUCCEEDED)),
    "finish": lambda held: held.end(EndRun(held.claimed, "succeeded")),
    "retry": lambda held: held.end(EndRun(held.claimed, "pending", wait=10.0)),
    "hand_back": lambda held: held.end(EndRun(held.claimed, "pending", "drained")),
    "let_go": lambda held: held.let_go(job=None),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@every_write
async def test_a_write_under_a_lease_that_another_replica_has_is_refused_counted_and_reported(write: Write) -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(), timing=SELDOM) as replica:
        held = await a_held_run(replica)
        await store.take_over(NIGHTLY, "another replica")
        before = [one.state for one in await replica.runs()], await job_runs(store)
        assert not await write(held)
        assert ([one.state for one in await replica.runs()], await job_runs(store)) == before
        assert held.refused == 1
        (refused,) = facts_of(replica, WriteRefused)
        assert (refused.run.run_id, refused.run.token) == (1, 1)
        assert "has token 2 and is held by another replica" in refused.who


async def test_a_write_is_tried_again_until_the_database_is_back() -> None:
    timing = LeaseTiming("15s", retry_wait="0.001s", kill_time="0.05s")
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(), timing=timing) as replica:
        held = await a_held_run(replica)
        store.available, store.writes = False, 0
        starting = asyncio.create_task(held.start_job("job1", 0, 1))
        await until(lambda: store.writes > 3, "it has tried again and again")
        store.available = True
        assert await asyncio.wait_for(starting, LIMIT) == 1
        assert [row.state for row in await job_runs(store)] == ["running"]


async def test_a_write_ends_when_the_lease_is_lost_while_the_database_is_away() -> None:
    """At once, though it would wait a minute to try again; nothing is refused, since nothing was asked."""
    timing = LeaseTiming("300s", renew_every="0.02s", retry_wait="100s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(), timing=timing) as replica:
        held = await a_held_run(replica)
        await store.take_over(NIGHTLY)
        store.available = False
        assert await asyncio.wait_for(held.start_job("job1", 0, 1), LIMIT) is None
        assert held.loss_cause() == "stolen by another replica with token 2"
        assert (held.refused, facts_of(replica, WriteRefused)) == (0, [])


@pytest.mark.parametrize(
    ("end", "state", "available_in"),
    [
        (lambda held: held.end(EndRun(held.claimed, "succeeded")), "succeeded", None),
        (lambda held: held.end(EndRun(held.claimed, "pending", wait=10.0)), "pending", 10.0),
        (lambda held: held.end(EndRun(held.claimed, "pending", "drained")), "pending", 0.0),
        (lambda held: held.let_go(job=None), "pending", 0.0),
    ],
    ids=["finish", "retry", "hand_back", "let_go"],
)
async def test_an_end_lets_go_of_the_lease_and_that_is_no_loss(
    end: Write, state: str, available_in: float | None
) -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        held = await a_held_run(replica)
        await end(held)
        (ended,) = await replica.runs()
        assert ended.state == state
        if available_in is not None:
            assert ended.available_at is not None
            assert (ended.available_at - store.clock.now).total_seconds() == pytest.approx(available_in)
        assert (await lease_of(store, NIGHTLY)).holder is None
        assert held.lease.remaining() == 0
        assert held.lease.loss is None, "the heartbeat renews it no longer, and does not miss it"


@pytest.mark.parametrize("awaited", [True, False])
async def test_after_the_end_of_a_run_those_are_woken_who_wait_for_its_lease(
    awaited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 15: in a call of its own, after the commit, and only where another client waits."""
    woken: list[str] = []

    def note(connection: Connection, name: str, waiting: Waiters) -> None:
        assert [waiter.holder for waiter in waiting] == ["ben"]
        assert connection.scalar(select(run.c.state)) == "pending", "it is written"
        woken.append(name)

    monkeypatch.setattr("daemon.execution.held_run.notify_waiters", note)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        held = await a_held_run(replica)
        if awaited:
            await store.write(lambda connection: lease.statements.grant(connection, [NIGHTLY], "ben", 60.0, queue=True))
        await held.end(EndRun(held.claimed, "pending", "drained"))
        assert woken == [NIGHTLY] * awaited
