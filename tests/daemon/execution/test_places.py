"""Replicas and other programs that use one lock starve each other in neither direction."""

from collections.abc import Iterator

import pytest

import lease.statements
from daemon.execution.claim import sought
from daemon.testing import ManualReplica, ManualStore
from lease import Grant
from tests.support.completion import finish_run
from tests.support.manual import ONE_O_CLOCK, Gate, a_shop, add_schedule
from tests.support.store import TTL, Store, a_schedule, pending_runs


@pytest.fixture
def locked(database_url: str) -> Iterator[Store]:
    schedule = a_schedule("daily", lock="warehouse")
    with Store(database_url) as store:
        store.sync(schedule)
        pending_runs(store, schedule, 2)
        yield store


def grant(store: Store, holder: str, *, queue: bool = False) -> list[Grant]:
    return store.do(lease.statements.grant, ["warehouse"], holder, TTL, label=holder, queue=queue)


def take_places(store: Store) -> list[str]:
    names = store.do(sought, "shop", ["warehouse"], "h1")
    store.do(lease.statements.queue_up, names, "h1", "a replica")
    return names


def test_a_replica_queues_up_behind_another_program_and_claims_when_its_turn_comes(locked: Store) -> None:
    """A program that takes the lock again at once leaves it free for no moment in which a replica looks."""
    (held,) = grant(locked, "greedy")
    assert take_places(locked) == ["warehouse"]
    assert take_places(locked) == [], "it has its place"
    locked.do(lease.statements.release, held)
    assert grant(locked, "greedy", queue=True) == []
    (claimed,) = locked.claim("daily")
    assert claimed.grant == Grant("warehouse", 2, "h1")


def test_a_replica_does_not_overtake_a_program_that_waits(locked: Store) -> None:
    (claimed,) = locked.claim("daily")
    assert grant(locked, "ben", queue=True) == []
    assert take_places(locked) == ["warehouse"]
    locked.do(finish_run, claimed, "succeeded")
    assert locked.claim("daily") == []
    (bens,) = grant(locked, "ben", queue=True)
    assert bens.token == 2
    locked.do(lease.statements.release, bens)
    (claimed,) = locked.claim("daily")
    assert claimed.grant.token == 3


@pytest.mark.anyio
async def test_the_loop_takes_a_place_only_where_others_than_replicas_are_in_the_way() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(lock="warehouse")) as replica:

        async def waiting() -> list[str]:
            (queue,) = await store.read(lambda connection: lease.statements.read_queues(connection, ["warehouse"]))
            return [waiter.holder for waiter in queue.waiting]

        mine = replica.context.client.holder
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], mine, TTL))
        await replica.trigger("nightly")
        await replica.tick()
        assert await waiting() == [], "a replica holds it"
        await store.write(lambda connection: lease.statements.release(connection, Grant("warehouse", 1, mine)))
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], "anna", TTL))
        await replica.tick()
        assert await waiting() == [mine]


@pytest.mark.anyio
async def test_a_replica_that_has_no_room_for_another_run_keeps_no_lock_free_for_it() -> None:
    """It could not take it, and each that comes after it would wait for it in vain."""
    schedules, gate = a_shop(), Gate()
    add_schedule(schedules, "long", gate.passed)
    add_schedule(schedules, "stock", lock="warehouse")
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, schedules, concurrency=1) as replica:
        await replica.trigger("long")
        await replica.tick()
        await gate.entered()
        await store.write(lambda connection: lease.statements.grant(connection, ["warehouse"], "anna", TTL))
        await replica.trigger("stock")
        await replica.tick()
        (queue,) = await store.read(lambda connection: lease.statements.read_queues(connection, ["warehouse"]))
        assert queue.waiting == ()
        gate.open()
