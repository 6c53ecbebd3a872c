"""The loop of one replica, tick by tick, and its end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, update

from daemon import AsyncRun, Schedules
from daemon.execution.claim import ClaimedRun
from daemon.execution.writes import batcher as batchers
from daemon.execution.writes.batcher import Claim
from daemon.execution.writes.transactions import EndRun, PassedOver, Write, write_set
from daemon.operations.trigger import trigger
from daemon.service.replica import Replica
from daemon.store.tables import run as run_table
from daemon.telemetry.facts import DatabaseAway, DatabaseBack, NextDue, Note, RunEnded, RunRecovered
from daemon.testing import ManualReplica, ManualStore
from lease.database.database import Unit
from lease.database.dialects import now
from lease.timing import LeaseTiming
from tests.support.manual import (
    ONE_O_CLOCK,
    CountingStore,
    Gate,
    a_loop,
    a_shop,
    add_schedule,
    at_work,
    facts_of,
    left_behind,
    nothing,
    told,
    until,
)
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

T = TypeVar("T")
TWO_O_CLOCK = "2026-07-01T02:00:00Z"
NIGHTLY = "run/shop/nightly"


def three_schedules(gate: Gate) -> Schedules:
    schedules = Schedules("shop")
    for name in ("one", "two", "three"):
        add_schedule(schedules, name, gate.passed)
    return schedules


async def states_after_a_sign_of_life(replica: ManualReplica) -> list[str]:
    """Let it show that it lives, and then look once; return the states of the runs."""
    await replica.replica._check_in.touch()
    await replica.tick()
    return [run.state for run in await replica.runs()]


# A tick


async def test_a_tick_that_finds_nothing_costs_one_read() -> None:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        store.reads = store.writes = 0
        await replica.tick()
        assert (store.reads, store.writes) == (1, 0)


async def test_what_a_tick_plans_starts_before_the_next_look_and_what_is_skipped_costs_no_claim() -> None:
    gate = Gate()
    async with (
        CountingStore(ONE_O_CLOCK) as store,
        ManualReplica(store, a_shop(gate.passed, overlap="skip"), concurrency=2) as replica,
    ):
        counts = []
        for passed in ("1h", "1d"):
            store.clock.advance(passed)
            store.reads = store.writes = 0
            await replica.tick()
            counts.append((store.reads, store.writes, [run.state for run in await replica.runs()]))
        assert counts == [(2, 2, ["running"]), (2, 1, ["running", "skipped"])]
        gate.open()


class LateStore(CountingStore):
    """A store whose clock has gone on by the time of a write."""

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        self.clock.advance(0.001)
        return await super().write(unit, timeout=timeout)


async def test_a_run_that_comes_to_be_late_after_the_look_takes_no_instant_with_it() -> None:
    """It had to start before the next instant, and the replica has looked at the very moment of both."""
    gate = Gate()
    shop = a_shop(overlap="skip", start_within="1d")
    shop.add("busy", cron="0 1 1 1 *").job(name="work", timeout="7d")(gate.passed)
    async with LateStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, concurrency=1) as replica:
        await replica.trigger("busy")
        await replica.tick()
        for day in (1, 2):
            store.clock.set(f"2026-07-0{day}T02:00:00Z")
            await replica.tick()
        await replica.tick()
        assert [run.state for run in await replica.runs("nightly")] == ["skipped", "pending"]
        gate.open()


async def test_an_instant_that_comes_to_be_due_after_the_look_is_planned_with_what_was_due_before() -> None:
    shop = a_shop()
    shop.add("other", cron="0 1 1 1 *").job(name="work", timeout="1m")(nothing)
    async with LateStore(ONE_O_CLOCK) as store, ManualReplica(store, shop) as replica:
        at = datetime.fromisoformat(TWO_O_CLOCK)
        just_before = at - timedelta(seconds=0.0005)
        await store.write(partial(trigger, application="shop", name="other", requested_by="ann", at=just_before))
        store.clock.set(just_before)
        await replica.tick()
        assert len(await replica.runs("nightly")) == 1


async def test_a_tick_settles_then_plans_then_claims() -> None:
    """A run that was abandoned too often is over before the next instant is planned, which is no overlap then, and starts."""
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(gate.passed, overlap="skip")) as replica:
        await left_behind(store, abandoned=2)
        store.clock.set(TWO_O_CLOCK)
        await replica.tick()
        assert [(run.state, run.run.cause) for run in await replica.runs()] == [
            ("failed", "manual"),
            ("running", "schedule"),
        ]


async def test_what_a_clock_that_had_jumped_put_off_starts_with_a_sign_of_life_by_a_time_that_can_be_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replica whose wall clock was a day ahead has put the run back, and its clock is right again."""
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(gate.passed)) as replica:
        await replica.trigger("nightly")
        store.clock.advance("26h")
        await store.write(lambda connection: connection.execute(update(run_table).values(available_at=now())))
        store.clock.set(ONE_O_CLOCK)
        with monkeypatch.context() as jumped:
            jumped.setattr(replica.replica.rollout, "trusts", lambda _: False)
            assert await states_after_a_sign_of_life(replica) == ["pending"]
        assert await states_after_a_sign_of_life(replica) == ["running"]


async def test_what_was_put_off_of_a_schedule_that_was_renamed_starts_too() -> None:
    gate = Gate()
    async with ManualStore(ONE_O_CLOCK) as store:
        async with ManualReplica(store, a_shop(gate.passed)) as before:
            await before.trigger("nightly")
            store.clock.advance("26h")
            await store.write(lambda connection: connection.execute(update(run_table).values(available_at=now())))
            store.clock.set(ONE_O_CLOCK)
        renamed = Schedules("shop")
        add_schedule(renamed, "export", gate.passed, was="nightly")
        async with ManualReplica(store, renamed) as replica:
            assert await states_after_a_sign_of_life(replica) == ["running"]


async def test_a_replica_shows_that_it_lives_before_it_settles_what_it_lost() -> None:
    """Rule 16: its attempt was stopped, not abandoned."""
    gate = Gate()
    async with at_work(gate) as (replica, run_id):
        replica.store.clock.advance("1m")
        await replica.store.take_over(NIGHTLY)
        await replica.wait_for(run_id)
        await replica.tick()
        assert [fact.settlement for fact in facts_of(replica, RunRecovered)] == ["stopped"]
        assert (await replica.read(run_id)).abandoned == 0


async def test_no_more_runs_are_claimed_than_there_are_places() -> None:
    gate = Gate()
    store = CountingStore(ONE_O_CLOCK)
    async with store, ManualReplica(store, three_schedules(gate), concurrency=2) as replica:
        store.clock.set(TWO_O_CLOCK)
        await replica.tick()
        assert sorted(run.state for run in await replica.runs()) == ["pending", "running", "running"]
        before = store.writes
        await replica.tick()
        assert store.writes == before, "it does not even ask"
        gate.open()
        await replica.work()
        assert [run.state for run in await replica.runs()] == ["succeeded"] * 3


@pytest.mark.parametrize(("places", "notices"), [(2, ["work"]), (3, [])])
async def test_what_it_plans_beyond_its_places_it_notifies_the_others_of(
    monkeypatch: pytest.MonkeyPatch, places: int, notices: list[str]
) -> None:
    """They woke at the same instant, and found the schedules locked."""
    schedules = a_shop()
    for name in ("one", "two"):
        add_schedule(schedules, name)
    said: list[str] = []
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules, concurrency=places) as replica:
        monkeypatch.setattr(replica.context.publisher, "say_work", lambda: said.append("work"))
        store.clock.advance("1h")
        await replica.tick()
        assert said == notices
        await replica.work()


async def test_a_replica_that_drains_plans_and_claims_nothing() -> None:
    """Rule 19."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(overlap="allow")) as replica:
        run_id = await replica.trigger("nightly")
        store.clock.set(TWO_O_CLOCK)
        replica.replica.drain()
        agenda = await replica.tick()
        assert agenda is not None
        assert (agenda.due, agenda.available) == (True, True)
        assert [run.run.run_id for run in await replica.runs()] == [run_id]


# Its claims, which go with the ends of its runs (rule 15)


class HeldUp:
    """All sets wait until they may `go`; from then on one end is passed over, until its schedule is free."""

    def __init__(self, store: ManualStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go = asyncio.Event()
        self.is_free = False
        self._locked: Write | None = None
        self._write, self._write_set = store.write, write_set
        monkeypatch.setattr(store, "write", self._held)
        monkeypatch.setattr(batchers, "write_set", self._written)

    async def _held(self, unit: Unit[Any], *, timeout: float | None = None) -> Any:
        await self.go.wait()
        return await self._write(unit, timeout=timeout)

    def _written(self, connection: Connection, writes: Sequence[Write], *, patience: float | None = None) -> list[Any]:
        self._locked = self._locked or next((write for write in writes if isinstance(write, EndRun)), None)
        free = [write for write in writes if self.is_free or write is not self._locked]
        answers = iter(self._write_set(connection, free, patience=patience))
        return [next(answers) if write in free else PassedOver() for write in writes]


async def test_what_takes_the_place_of_a_run_whose_end_is_passed_over_starts_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its schedule is locked, by a replica that plans, say. For a moment there are more runs than places, of which no
    more are at work.
    """
    gate = Gate()
    shop = a_shop(gate.passed, overlap="allow")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop, concurrency=2) as replica:
        for _ in range(4):
            await replica.trigger("nightly")
        await replica.tick()
        held, batcher = HeldUp(store, monkeypatch), replica.context.batcher
        before = asyncio.create_task(batcher.claim(lambda _, __: [], lambda _: 0))
        await until(lambda: not batcher._claims, "a set is under way")
        replica.replica.rest.begin_look()
        resting = asyncio.create_task(replica.replica.rest.rest(LIMIT))
        gate.open()
        await until(lambda: len(batcher._next) == 2, "both have ended")
        await until(resting.done, "the replica is woken before the ends are written")
        assert len(replica.replica.runs) == 2
        filling = asyncio.create_task(replica.replica.runs.fill())
        await until(lambda: batcher._claims, "the claim goes with them")
        held.go.set()
        assert await filling
        held.is_free = True
        await before
        await replica.work()
        assert [run.state for run in await replica.runs()] == ["succeeded"] * 4


# The loop; where nothing wakes it, it rests for days


async def test_while_there_is_more_it_claims_with_the_ends_and_does_not_look_in_between() -> None:
    """Rule 15: a transaction for each set, and no query beside it."""
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(nothing, overlap="allow")) as replica:
        for _ in range(100):
            await replica.trigger("nightly")
        loop = a_loop(replica, concurrency=2)
        store.reads = store.writes = 0
        await asyncio.wait_for(loop.run(until_idle=True), LIMIT)
        assert loop.runs.tally["succeeded"] == 100
        assert store.reads < store.writes / 2, "and not one for each set: only what a busy machine's time brings"


async def test_at_its_end_it_claims_nothing_more_and_is_not_ready_though_nobody_asked_it_to_stop() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        loop = a_loop(replica)
        await asyncio.wait_for(loop.run(until_idle=True), LIMIT)
        assert loop.draining


async def test_it_wakes_for_the_next_instant() -> None:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        store.clock.set("2026-07-01T01:59:59.9Z")
        loop = a_loop(replica)
        working = asyncio.create_task(loop.run())
        await until(lambda: facts_of(replica, NextDue), "it has looked")
        store.clock.set(TWO_O_CLOCK)
        await until(lambda: loop.runs.executed, "it has executed the run")
        loop.drain()
        await asyncio.wait_for(working, LIMIT)
        first, *_, ahead, none = facts_of(replica, NextDue)
        assert (first.schedule, ahead.schedule, none.schedule) == ("nightly", "nightly", None)
        assert first.at is not None
        assert ahead.at is not None
        assert timedelta(hours=23) < ahead.at - first.at < timedelta(hours=25), "it tells when that changes"


async def test_while_the_database_is_away_it_tries_again_after_a_moment() -> None:
    timing = LeaseTiming("15s", retry_wait="0.01s")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(), timing=timing) as replica:
        store.available = False
        working = asyncio.create_task(a_loop(replica).run(until_idle=True))
        await until(lambda: facts_of(replica, DatabaseAway), "it has tried")
        store.available = True
        await asyncio.wait_for(working, LIMIT)
        assert [len(facts_of(replica, kind)) for kind in (DatabaseAway, DatabaseBack)] == [1, 1]


# Its end (rule 19)


@asynccontextmanager
async def a_loop_at_work(
    gate: Gate, **settings: Any
) -> AsyncIterator[tuple[ManualReplica, Replica, "asyncio.Task[None]", int]]:
    """Let the loop of a replica execute a run of "nightly", whose job has reached the gate."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(gate.passed)) as replica:
        run_id = await replica.trigger("nightly")
        loop = a_loop(replica, **settings)
        working = asyncio.create_task(loop.run())
        await gate.entered()
        yield replica, loop, working, run_id


async def test_a_drain_while_a_claim_waits_for_its_set_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        run_id = await replica.trigger("nightly")
        loop, batcher = a_loop(replica), replica.context.batcher
        claim = batcher.claim

        async def drained_meanwhile(unit: Claim, places: Callable[[int], int]) -> list[ClaimedRun]:
            loop.drain()
            return await claim(unit, places)

        monkeypatch.setattr(batcher, "claim", drained_meanwhile)
        await asyncio.wait_for(loop.run(), LIMIT)
        assert (await replica.read(run_id)).state == "pending"


async def test_a_job_that_does_not_finish_within_grace_is_stopped_and_its_run_handed_back() -> None:
    gate = Gate()
    async with a_loop_at_work(gate, grace=0.02) as (replica, loop, working, run_id):
        loop.drain()
        await asyncio.wait_for(working, LIMIT)
        run = await replica.read(run_id)
        assert (run.state, run.run.reason, run.jobs[0].state) == ("pending", "drained", "stopped")


async def test_told_to_stop_at_once_it_waits_for_no_job() -> None:
    gate = Gate()
    async with a_loop_at_work(gate, grace=1e6) as (replica, loop, working, run_id):
        loop.drain()
        await asyncio.sleep(0)
        loop.stop_at_once()
        await asyncio.wait_for(working, LIMIT)
        assert (await replica.read(run_id)).state == "pending"
        assert [fact.outcome for fact in facts_of(replica, RunEnded)] == ["pending"]


async def test_a_loop_that_is_cancelled_hands_its_runs_back_first() -> None:
    """Before the caller ends the heartbeat."""
    gate = Gate()
    async with a_loop_at_work(gate) as (replica, _, working, run_id):
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        assert (await replica.read(run_id)).state == "pending"


async def test_what_was_lost_and_refused_is_summed_up_at_the_end() -> None:
    gate = Gate()

    async def stubborn(_run: AsyncRun) -> None:
        while not gate.is_open:
            try:
                await gate.passed()
            except asyncio.CancelledError:
                gate.open()

    async with at_work(gate, a_shop(stubborn)) as (replica, run_id):
        await replica.lose_lease(run_id)
        await replica.stop()
        assert told(facts_of(replica, Note), "runs lost with their leases: 1; writes refused")


async def test_however_long_it_rests_it_does_not_pass_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that has not shown itself for half a minute does, and `poll` may be an hour."""
    monkeypatch.setattr("daemon.service.waking.idle_wait._SHOW_EVERY", 0.01)
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        loop = a_loop(replica)
        working = asyncio.create_task(loop.run())
        await until(lambda: store.reads, "it has looked")
        rested = monotonic()
        await until(lambda: monotonic() - loop.age() > rested + 0.05, "it has shown itself since")
        reads = store.reads
        await until(lambda: monotonic() - loop.age() > rested + 0.1, "it has shown itself again")
        assert store.reads == reads, "it has not even looked"
        loop.drain()
        await asyncio.wait_for(working, LIMIT)


async def test_its_age_is_the_time_since_it_last_came_round(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        await replica.tick()
        before = replica.replica.age()
        monkeypatch.setattr("daemon.service.waking.idle_wait.monotonic", lambda: before + 1e9)
        assert replica.replica.age() > 1e6
        await replica.tick()
        assert replica.replica.age() == 0
