"""The pruner of a replica: one at a time, now and then, step by step with rests, and never in the way of a drain."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from daemon import Schedules
from daemon.pruning import pruner as module
from daemon.pruning.choice import DAY
from daemon.pruning.pruner import EVERY, FIRST_AFTER, SHARE, Bounded, Pruner, bound
from daemon.store.tables import run
from daemon.telemetry.facts import Note
from daemon.testing import ManualReplica, ManualStore
from lease.database.dialects import later, now
from lease.errors import LeaseLost, StoreUnavailable
from lease.schema import lease as leases
from tests.support.manual import ONE_O_CLOCK, CountingStore, a_shop, facts_of, nothing, told, until

pytestmark = pytest.mark.anyio


class Sleeper:
    """Lets no time pass; notes the rests, and ends them at the last one with `CancelledError`."""

    def __init__(self, most: int = 1000) -> None:
        self.rests = list[float]()
        self._most = most

    async def sleep(self, seconds: float) -> None:
        self.rests.append(seconds)
        await asyncio.sleep(0)
        if len(self.rests) >= self._most:
            raise asyncio.CancelledError


def shop(count: int = 1) -> Schedules:
    schedules = Schedules("shop")
    for number in range(count):
        schedules.add(f"s{number}", cron="0 2 * * *", keep={"days": 30}).job(name="job", timeout="1m")(nothing)
    return schedules


async def filled(store: ManualStore, name: str, count: int) -> None:
    """Let runs of a schedule have succeeded a hundred days ago, and a newer one just now."""
    row = {"application": "shop", "schedule": name, "trigger": "manual", "state": "succeeded", "lease_name": "a lease"}
    times = dict.fromkeys(("scheduled_for", "created_at", "started_at", "finished_at"), later(now(), -100 * DAY))

    def unit(connection: Connection) -> None:
        for _ in range(count):
            connection.execute(insert(run).values(**row, **times))
        connection.execute(insert(run).values(**row, **dict.fromkeys(times, now())))

    await store.write(unit)


async def left(store: ManualStore) -> Sequence[str]:
    """Return the schedules of the old runs that are there."""
    old = select(run.c.schedule).where(run.c.finished_at < later(now(), -DAY)).order_by(run.c.id)
    return await store.read(lambda c: list(c.scalars(old)))


def pruner_of(replica: ManualReplica, sleeper: Sleeper, stops: Callable[[], bool] = lambda: False) -> Pruner:
    context = replica.context
    return Pruner(context.database, context.client, "shop", context.notify, stops, sleeper.sleep)


async def test_it_prunes_each_schedule_in_steps_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.pruning.pruner.MOST_RUNS", 2)
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop(2)) as replica:
        await filled(store, "s0", 5)
        await filled(store, "s1", 1)
        assert await pruner_of(replica, Sleeper()).prune() == 6
        assert await left(store) == []
        assert told(replica.facts, "6 runs of 2 schedules pruned (keep)")


async def test_only_one_replica_of_an_application_prunes_at_a_time_and_none_what_another_has_pruned_lately() -> None:
    async with (
        ManualStore(ONE_O_CLOCK) as store,
        ManualReplica(store, shop()) as replica,
        ManualReplica(store, shop()) as other,
    ):
        await filled(store, "s0", 1)
        held = await other.context.client.acquire("prune/shop")
        await let_pass(store, EVERY)
        assert await pruner_of(replica, Sleeper()).prune() == 0
        await held.release()
        assert await pruner_of(replica, Sleeper()).prune() == 1
        await filled(store, "s0", 1)
        assert await pruner_of(other, Sleeper()).prune() == 0
        await let_pass(store, EVERY)
        assert await pruner_of(other, Sleeper()).prune() == 1


async def let_pass(store: ManualStore, seconds: float) -> None:
    """Let the last pruning have begun so long ago."""
    ago = update(leases).where(leases.c.name == "prune/shop").values(granted_at=later(now(), -seconds))
    await store.write(lambda c: c.execute(ago))


async def test_after_each_step_it_rests_so_that_it_takes_a_small_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = iter(range(1000))
    monkeypatch.setattr(module, "monotonic", lambda: float(next(times)))  # each step takes a second
    sleeper = Sleeper()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop()) as replica:
        await filled(store, "s0", 1)
        await pruner_of(replica, sleeper).prune()
    assert len(sleeper.rests) == 3, "a choice, a deletion, and the other records"
    assert sleeper.rests == pytest.approx([1 / SHARE - 1] * 3)


async def test_a_replica_that_drains_prunes_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.pruning.pruner.MOST_RUNS", 1)
    sleeper = Sleeper()
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop()) as replica:
        await filled(store, "s0", 5)
        assert await pruner_of(replica, sleeper, lambda: len(sleeper.rests) >= 4).prune() == 2
        assert len(await left(store)) == 3
        assert len(sleeper.rests) == 4


async def test_with_its_lease_it_loses_the_right_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.pruning.pruner.MOST_RUNS", 1)
    async with (
        ManualStore(ONE_O_CLOCK) as store,
        ManualReplica(store, shop()) as replica,
        ManualReplica(store, shop()) as other,
    ):
        await filled(store, "s0", 5)

        class Breaker(Sleeper):
            async def sleep(self, seconds: float) -> None:
                await super().sleep(seconds)
                if len(self.rests) == 2:
                    await other.context.client.break_lease("prune/shop", "a test")
                    await until(lambda: told(replica.facts, "Lost("), "the loss is heard")

        with pytest.raises(LeaseLost):
            await pruner_of(replica, Breaker()).prune()
        assert len(await left(store)) == 4


async def test_it_looks_now_and_then_and_goes_on_after_an_outage_and_an_error_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sleeper = Sleeper(most=4)
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop()) as replica:
        pruner = pruner_of(replica, sleeper)
        outcomes = iter([StoreUnavailable("away"), ZeroDivisionError("ours"), None])

        async def prune() -> int:
            if (outcome := next(outcomes)) is not None:
                raise outcome
            return 0

        monkeypatch.setattr(pruner, "prune", prune)
        with pytest.raises(asyncio.CancelledError):
            await pruner.prune_on()
        assert [note.is_warning for note in facts_of(replica, Note) if "ZeroDivisionError" in note.text] == [True]
    first, *others = sleeper.rests
    assert FIRST_AFTER[0] <= first <= FIRST_AFTER[1]
    assert len(others) == 3
    assert all(0.9 * EVERY <= rest <= 1.1 * EVERY for rest in others)


async def test_it_deletes_nothing_by_a_clock_that_has_jumped(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the machine's clock decides how old a run is; a day on which it is years ahead must cost no history."""
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, shop()) as replica:
        context = replica.context
        await filled(store, "s0", 2)
        right = store.clock.now

        def trusts(time: datetime) -> bool:
            return time - right < timedelta(days=1)

        careful = Pruner(context.database, context.client, "shop", context.notify, sleep=Sleeper().sleep, trusts=trusts)

        def jump_and_bound(*arguments: Any, **named: Any) -> Bounded | None:
            store.clock.advance("300d")
            return bound(*arguments, **named)

        with monkeypatch.context() as jumping:
            jumping.setattr(module, "bound", jump_and_bound)
            await careful.try_to_prune()
        store.clock.set(ONE_O_CLOCK)
        assert await store.read(lambda c: c.scalar(select(func.count()).select_from(run))) == 3
        assert not told(replica.facts, "internal error")


async def test_a_look_where_nothing_is_to_do_costs_one_query_until_it_is_time() -> None:
    async with CountingStore(ONE_O_CLOCK) as store, ManualReplica(store, shop()) as replica:
        await pruner_of(replica, Sleeper()).prune()
        store.reads = store.writes = 0
        assert await pruner_of(replica, Sleeper()).prune() == 0
        assert (store.reads, store.writes, told(replica.facts, "pruned")) == (1, 0, [])
