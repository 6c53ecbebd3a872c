"""Closing a client that holds something: lost, told, stopped, and only then released (rule 6)."""

import asyncio
import threading
from collections.abc import Collection
from contextlib import ExitStack, suppress

import pytest

import lease
import lease.sync
from lease import (
    Grant,
    LeaseError,
    LeaseLost,
    LeaseTiming,
    LossKind,
    SchemaMissing,
    StoreUnavailable,
    events,
    statements,
)
from lease.clock import boottime
from lease.core import Core
from lease.testing import MemoryStore
from tests.lease.stores import HASTY, SELDOM, STEADY, Recorder, Tables, in_thread, until
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

PATIENT = LeaseTiming(ttl=6 * LIMIT, kill_time=1.5 * LIMIT)
"""A closing that waits in vain outlasts the limit of a test."""


def test_a_client_that_is_closed_twice_at_once_closes_its_store_once_and_after_its_heartbeat() -> None:
    closed: list[bool] = []

    class Watched(MemoryStore):
        async def close(self) -> None:
            await asyncio.sleep(0)
            closed.append(any("Heartbeat.run" in repr(task.get_coro()) for task in asyncio.all_tasks()))

    async def twice(core: Core) -> None:
        await asyncio.gather(core.close(), core.close())

    with lease.sync.LeaseClient(store=Watched()) as client:
        means = client._runtime.means
        means.loop.submit(lambda: twice(means.core)).result(LIMIT)
        assert closed == [False], "whether its heartbeat ran, each time"


def kinds(told: Recorder) -> list[str]:
    return [type(event).__name__ for event in told.all]


async def test_the_block_of_a_hold_ends_before_another_client_is_granted_the_lease(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    steps = []

    async def work(client: lease.LeaseClient) -> None:
        async with client.hold("a"):
            steps.append("begun")
            try:
                await asyncio.sleep(LIMIT)
            finally:
                steps.append("told")
                told.wait_for(events.Lost)
                assert tables.record("a").holder == client.holder
                steps.append("ended")

    async def succeed(client: lease.LeaseClient) -> None:
        async with client.hold("a", wait=None):
            steps.append("succeeded")

    async with lease.LeaseClient(database_url, timing=STEADY) as other:
        async with lease.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
            working = asyncio.ensure_future(work(client))
            await until(lambda: steps)
            succeeding = asyncio.ensure_future(succeed(other))
        with pytest.raises(LeaseLost, match=r"lease 'a' \(token 1\) is lost: the client was closed"):
            await working
        await asyncio.wait_for(succeeding, LIMIT)
    assert steps == ["begun", "told", "ended", "succeeded"]
    assert kinds(told) == ["Granted", "Lost", "Released"]
    (lost,) = told.of(events.Lost)
    assert (lost.loss.kind, lost.loss.cause) == (LossKind.CLOSED, "the client was closed")


def test_the_block_of_a_sync_hold_is_told_and_ends_before_its_lease_is_released(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    begun = threading.Event()
    holder_at_the_end: list[str | None] = []

    def work() -> None:
        with client.hold("a") as held:
            begun.set()
            assert held.lost.wait(LIMIT)
            with pytest.raises(LeaseLost, match="the client was closed"):
                held.ensure()
            holder_at_the_end.append(tables.record("a").holder)

    with lease.sync.LeaseClient(database_url, timing=SELDOM, on_event=told) as client, in_thread(work) as result:
        assert begun.wait(LIMIT)
        client.__exit__()
    with pytest.raises(LeaseLost, match="the client was closed"):
        result()
    assert holder_at_the_end == [client.holder]
    assert tables.record("a").holder is None
    assert kinds(told) == ["Granted", "Lost", "Released"]


def test_work_that_does_not_end_is_waited_for_no_longer_than_kill_time_and_keeps_its_lease_until_the_ttl(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    begun, closed = threading.Event(), threading.Event()

    def work() -> None:
        with client.hold("deaf"):
            begun.set()
            assert closed.wait(LIMIT)

    with lease.sync.LeaseClient(database_url, timing=HASTY, on_event=told) as client, in_thread(work) as result:
        assert begun.wait(LIMIT)
        client.__exit__()
        closed.set()
        with pytest.raises(LeaseLost, match="the client was closed"):
            result()
    assert tables.record("deaf").holder == client.holder
    assert tables.record("deaf").live
    assert kinds(told) == ["Granted", "Lost", "ReleaseFailed"]
    assert "may still be running" in told.of(events.ReleaseFailed)[0].error


class LockedStore(MemoryStore):
    """A transaction has the row of each lease locked, and goes on for longer than anyone waits."""

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        return []  # which passes over what is locked

    async def release(self, grant: Grant) -> bool:
        raise StoreUnavailable("no answer within 2s")


class EmptiedStore(MemoryStore):
    """Somebody has dropped the tables."""

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        raise SchemaMissing("it does not have leased's tables")


@pytest.mark.usefixtures("passing_seconds")
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (MemoryStore, "the store in memory unavailable"),
        (LockedStore, "no answer within 2s"),
        (EmptiedStore, "does not have leased's tables"),
    ],
)
async def test_a_lease_that_could_not_be_released_is_told_with_the_reason(
    told: Recorder, kind: type[MemoryStore], why: str
) -> None:
    store, begun = kind(), asyncio.Event()

    async def work(client: lease.LeaseClient) -> None:
        async with client.hold("a"):
            begun.set()
            await asyncio.sleep(LIMIT)

    async with lease.LeaseClient(store=store, timing=HASTY, on_event=told) as client:
        working = asyncio.ensure_future(work(client))
        await asyncio.wait_for(begun.wait(), LIMIT)
        store.available = kind is not MemoryStore
    with pytest.raises(LeaseLost, match="the client was closed"):
        await working
    (failed,) = told.of(events.ReleaseFailed)
    assert why in failed.error


async def test_a_hold_whose_own_block_closes_the_client_does_not_wait_for_itself(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    async with lease.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        with pytest.raises(LeaseLost, match="the client was closed"):  # noqa: PT012
            async with client.hold("outer"), client.hold("inner"):
                async with asyncio.timeout(SELDOM.kill_time / 2):
                    await client.__aexit__()
                await asyncio.sleep(LIMIT)
    assert [tables.record(name).holder for name in ("outer", "inner")] == [client.holder] * 2
    assert len(told.of(events.ReleaseFailed)) == 2


async def test_a_task_of_a_block_may_close_the_client_for_it(database_url: str) -> None:
    async with lease.LeaseClient(database_url, timing=PATIENT) as client:
        with pytest.raises(LeaseLost, match="the client was closed"):
            async with client.hold("a"), asyncio.timeout(LIMIT):  # which is less than kill_time
                await asyncio.gather(client.__aexit__())


def test_a_sync_hold_whose_own_block_closes_the_client_does_not_wait_for_itself(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    def work() -> None:
        with client.hold("a") as held:
            client.__exit__()
            assert held.lost.is_set()

    with (
        lease.sync.LeaseClient(database_url, timing=PATIENT, on_event=told) as client,
        in_thread(work) as result,
        pytest.raises(LeaseLost, match="the client was closed"),
    ):
        result()  # within the limit of a test, which is less than kill_time
    assert tables.record("a").holder == client.holder
    assert kinds(told) == ["Granted", "Lost", "ReleaseFailed"]


def test_of_two_holds_only_the_one_that_closes_the_client_is_left_to_its_ttl(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    begun = threading.Event()

    def work() -> None:
        with client.hold("other") as held:
            begun.set()
            assert held.lost.wait(LIMIT)

    with lease.sync.LeaseClient(database_url, timing=SELDOM, on_event=told) as client, in_thread(work) as result:
        assert begun.wait(LIMIT)
        with pytest.raises(LeaseLost), client.hold("own"):
            client.__exit__()
        with pytest.raises(LeaseLost):
            result()
    assert tables.record("other").holder is None
    assert tables.record("own").holder == client.holder


def test_a_lease_without_a_block_is_released_once_its_caller_has_released_it(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    acquired = threading.Event()

    def work() -> bool:
        held = client.acquire("a")
        acquired.set()
        assert held.lost.wait(LIMIT)
        return held.release()

    with lease.sync.LeaseClient(database_url, timing=SELDOM, on_event=told) as client, in_thread(work) as result:
        assert acquired.wait(LIMIT)
        client.__exit__()
        assert result() is False
    assert tables.record("a").holder is None
    assert kinds(told) == ["Granted", "Lost", "Released"]


def test_a_lease_that_whoever_closes_has_not_released_is_told_as_lost_and_left_to_its_ttl(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    with lease.sync.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        held = client.acquire("a")
    assert held.loss is not None
    assert held.remaining() == 0
    assert tables.record("a").holder == client.holder
    assert kinds(told) == ["Granted", "Lost", "ReleaseFailed"]


def test_what_is_adopted_after_the_closing_began_is_lost_from_the_start() -> None:
    acquired = threading.Event()

    def adopt_late() -> LossKind | None:
        runtime, grant = client._runtime, lease.Grant("late", 1, client.holder)
        with suppress(LeaseLost), client.hold("held"):
            acquired.set()
            wait_until(lambda: runtime.core._closed, "the closing has begun")
            state = runtime.call(lambda core: core.heartbeat.adopt(grant, runtime.clock())).result()
        return None if state.loss is None else state.loss.kind

    with lease.sync.LeaseClient(store=MemoryStore(), timing=SELDOM) as client, in_thread(adopt_late) as adopted:
        assert acquired.wait(LIMIT)
        client.__exit__()
        assert adopted() is LossKind.CLOSED


def test_closing_is_immediate_where_nothing_is_held(database_url: str) -> None:
    def use() -> None:
        with lease.sync.LeaseClient(database_url, timing=PATIENT) as client, client.hold("a"):
            pass

    with in_thread(use) as result:
        result()  # within the limit of a test, which is less than kill_time


CLOSERS = 8


def test_a_client_that_has_nothing_to_release_asks_nothing_of_the_database_at_its_end() -> None:
    """Which may be away by then."""
    store, asked = MemoryStore(), []
    whole = store.release_all

    async def release_all(holder: str, besides: Collection[str]) -> list[Grant]:
        asked.append(holder)
        return await whole(holder, besides)

    store.release_all = release_all  # type: ignore[method-assign]
    with lease.sync.LeaseClient(store=store, timing=SELDOM) as client, client.hold("a"):
        pass
    assert asked == []


def test_closing_again_waits_for_the_first_and_ends_with_it(database_url: str) -> None:
    for _ in range(5):
        with lease.sync.LeaseClient(database_url, timing=SELDOM) as client:
            with ExitStack() as threads:
                others = [threads.enter_context(in_thread(client.__exit__)) for _ in range(CLOSERS)]
                client.__exit__()
                for other in others:
                    other()
            client.__exit__()
        with pytest.raises(LeaseError, match="this client is closed; make a new LeaseClient"):
            client.try_acquire("a")


MANY = 10_000


@pytest.mark.extended
async def test_ten_thousand_leases_are_released_together_when_their_work_has_ended(
    database_url: str, tables: Tables, told: Recorder, starvation: Starvation
) -> None:
    async def work(held: lease.Lease) -> None:
        stopped = asyncio.Event()

        def stop(_: lease.Loss) -> None:
            loop.call_soon_threadsafe(stopped.set)

        held.on_lost(stop)
        await stopped.wait()
        await held.release()

    loop = asyncio.get_running_loop()
    names = [f"name-{number:05}" for number in range(MANY)]
    async with lease.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        async with client.acquiring() as acquisition:
            leases = await acquisition.adopt(tables.grant(*names, holder=client.holder))
        working = [asyncio.ensure_future(work(held)) for held in leases]
        await asyncio.sleep(0)
        begun = boottime()
    starvation.assert_within(5.0, begun, boottime(), "ten thousand tasks have ended, and their leases are released")
    await asyncio.gather(*working)
    assert len(told.of(events.Lost)) == len(told.of(events.Released)) == MANY
    assert tables.value("SELECT count(*) FROM lease WHERE holder IS NOT NULL") == 0


async def test_what_a_fenced_transaction_has_locked_is_released_after_it_and_delays_no_other(
    postgres_url: str, postgres_tables: Tables, told: Recorder
) -> None:
    async def work(name: str) -> None:
        async with client.hold(name):
            await asyncio.sleep(LIMIT)

    async with lease.LeaseClient(postgres_url, timing=SELDOM, on_event=told) as client:
        working = [asyncio.ensure_future(work(name)) for name in ("fenced", "other")]
        await until(lambda: len(told.of(events.Granted)) == 2)
        with postgres_tables.transaction() as connection:
            statements.fence(connection, next(g.grant for g in told.of(events.Granted) if g.grant.name == "fenced"))
            closing = asyncio.ensure_future(client.__aexit__())
            await until(lambda: postgres_tables.record("other").holder is None)
            assert postgres_tables.record("fenced").holder == client.holder
        await closing
    assert postgres_tables.record("fenced").holder is None
    assert [event.confirmed for event in told.of(events.Released)] == [True] * 2
    assert all(isinstance(end, LeaseLost) for end in await asyncio.gather(*working, return_exceptions=True))


async def test_what_is_left_to_its_ttl_is_not_released_with_the_others(
    database_url: str, tables: Tables, told: Recorder
) -> None:
    async with lease.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        assert await client.try_acquire("left") is not None
        lost = tables.one("in doubt", holder=client.holder)
        client._runtime.call(lambda core: core.heartbeat.sweep()).result()
    assert tables.record("left").holder == client.holder
    assert tables.record("in doubt").holder is None
    assert told.of(events.OrphanReleased) == [events.OrphanReleased(lost)]


async def test_who_waits_for_what_is_released_with_others_is_woken(database_url: str, tables: Tables) -> None:
    async def work() -> None:
        async with client.hold("a"):
            begun.set()
            await asyncio.sleep(LIMIT)

    begun = asyncio.Event()
    async with lease.LeaseClient(database_url, timing=SELDOM) as other:
        async with lease.LeaseClient(database_url, timing=SELDOM) as client:
            working = asyncio.ensure_future(work())
            await begun.wait()
            waiting = asyncio.ensure_future(other.acquire("a", wait=None))
            await until(lambda: tables.record("a").waiting)
        with pytest.raises(LeaseLost):
            await working
        held = await asyncio.wait_for(waiting, LIMIT)
        assert held.token == 2
        await held.release()


class SilentStore(MemoryStore):
    """Which never answers when it is asked what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()

    async def read(self, name: str) -> lease.LeaseRecord | None:
        self.asked.set()
        await asyncio.sleep(10 * LIMIT)
        return await super().read(name)


@pytest.mark.usefixtures("passing_seconds")
async def test_a_call_of_another_task_that_is_under_way_ends_with_a_sentence_and_cancels_nobody() -> None:
    store = SilentStore()
    async with lease.LeaseClient(store=store, timing=SELDOM) as client:
        breaking = asyncio.ensure_future(client.break_lease("a", "it hangs"))
        await until(store.asked.is_set)
        await client.__aexit__()
        with pytest.raises(LeaseError, match="this client was closed before this call was answered"):
            await breaking
