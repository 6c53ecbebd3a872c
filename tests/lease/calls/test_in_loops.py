"""What an async client's callers do in their own event loops (rules 3, 6 and 8)."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from random import Random

import pytest

from lease import LeaseClient, LeaseLost, StoreUnavailable, events
from lease.sync import Lease as SyncLease
from lease.sync import LeaseClient as SyncLeaseClient
from tests.lease.calls.callers import Blocked, left, warm_async, wire_of
from tests.lease.stores import SELDOM, SHORT, Recorder, Tables, in_thread, until
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio
CANCELLATIONS = int(os.environ.get("LEASED_TEST_CANCELLATIONS", "60"))
SEED = int(os.environ.get("LEASED_TEST_SEED") or 5)


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[LeaseClient]:
    async with LeaseClient(database_url, timing=SELDOM) as client:
        yield await warm_async(client)


async def nothing_is_left(client: LeaseClient, tables: Tables) -> None:
    await until(lambda: not left(client, tables))


async def test_what_is_free_is_acquired_and_released_while_the_librarys_thread_is_busy(
    client: LeaseClient, tables: Tables
) -> None:
    with Blocked(client):
        held = await client.acquire("a")
        held.ensure()
        assert tables.record("a").grant == held.grant
        assert await client.try_acquire("a") is None
        assert await held.release()
        assert tables.record("a").holder is None
        async with client.hold("a"):
            pass
        assert not client._runtime.means.ledger.entries, "nothing is left to be put right"


async def test_one_that_is_cancelled_at_any_moment_leaves_nothing(client: LeaseClient, tables: Tables) -> None:
    await cancel_at_any_moment([client], tables)


@pytest.mark.extended
@pytest.mark.timeout(120 + CANCELLATIONS)
async def test_those_that_are_cancelled_as_they_contend_leave_nothing(
    client: LeaseClient, database_url: str, tables: Tables
) -> None:
    async with LeaseClient(database_url, timing=SELDOM) as other:
        await cancel_at_any_moment([client, client, await warm_async(other)], tables)


async def cancel_at_any_moment(clients: list[LeaseClient], tables: Tables) -> None:
    """By a task for each of these clients, and all at once; nothing is left each time. `make proof
    NAME=cancellations COUNT=20000` tries it that often.
    """
    chance, longest = Random(SEED), 0.0

    async def work(client: LeaseClient, seconds: float) -> None:
        async def hold() -> None:
            while True:
                async with client.hold("a", wait=LIMIT):
                    await asyncio.sleep(0)

        working = asyncio.create_task(hold())
        await asyncio.sleep(seconds)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    for _ in range(0, CANCELLATIONS, len(clients)):
        await asyncio.gather(*(work(client, chance.uniform(0.0, 0.008)) for client in clients))
        gone = time.monotonic()
        for client in {*clients}:
            await nothing_is_left(client, tables)
        longest = max(longest, time.monotonic() - gone)
        for client in {*clients}:
            if wire_of(client) is None:
                await warm_async(client)
    sys.stdout.write(f"{CANCELLATIONS} cancelled, seed {SEED}: nothing was left {longest:.3f} s later at the latest\n")


async def test_one_whose_coroutine_is_closed_leaves_nothing(client: LeaseClient, tables: Tables) -> None:
    """As where a generator that waits in it is collected: it may await nothing more."""
    acquiring = client.acquire("a")
    acquiring.send(None)  # it has sent its statement, and waits for the answer
    acquiring.close()
    assert not client._runtime.means.ledger.entries, "it is put right once"
    await nothing_is_left(client, tables)
    await (await client.acquire("a")).release()


async def test_an_error_of_a_handler_at_the_end_of_a_block_is_raised_out_of_it(
    database_url: str, told: Recorder, tables: Tables
) -> None:
    """Also one of lease, as where it has asked another lease whether it is lost: it is no refusal of this release."""

    async def handler(_: object) -> None:
        raise LeaseLost("another lease is lost")

    async with LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        wire = wire_of(await warm_async(client))
        with pytest.raises(LeaseLost, match="another"):
            async with client.hold("a"):
                wire.send_in_loop = handler
        await nothing_is_left(client, tables)
    assert not told.of(events.ReleaseFailed)


async def test_one_whose_loop_ends_in_the_midst_is_abandoned(database_url: str, tables: Tables) -> None:
    async with LeaseClient(database_url, timing=SELDOM) as client:
        await warm_async(client)

        def elsewhere() -> None:
            """A loop that is closed while a task of it waits for the answer."""
            loop = asyncio.SelectorEventLoop()
            task = loop.create_task(client.acquire("a"))
            loop.call_soon(task.cancel)  # when it has sent its statement, and before it can hear an answer
            loop.run_until_complete(asyncio.wait({task}))
            loop.close()

        await asyncio.to_thread(elsewhere)
        await nothing_is_left(client, tables)


async def test_one_that_is_cancelled_as_its_client_is_closed_leaves_no_grant(database_url: str, tables: Tables) -> None:
    """What it has sent is done only when its connection is closed, and nobody has heard what came of it."""
    async with LeaseClient(database_url, timing=SELDOM) as client:
        await warm_async(client)
        wire, store = wire_of(client), client._runtime.core.store
        close, close_store = wire.close, store.close
        closing, is_closed = threading.Event(), threading.Event()

        def close_late(seconds: float) -> None:
            closing.set()
            is_closed.wait(0.3)  # in vain: the client, too, waits until this is closed
            close(seconds)

        async def close_and_say() -> None:
            await close_store()
            is_closed.set()

        wire.close, store.close = close_late, close_and_say  # type: ignore[method-assign]  # to have this order
        acquiring = asyncio.create_task(client.acquire("a"))
        await asyncio.sleep(0)  # it has sent its statement
        acquiring.cancel()
        await until(closing.is_set)
        assert not acquiring.done()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert tables.record("a").holder is None


async def test_a_silent_network_ends_it_by_the_limit_of_an_attempt(proxied_url: str, proxy: Proxy) -> None:
    """Rule 3."""
    async with LeaseClient(proxied_url, timing=SHORT) as client:
        await warm_async(client)
        proxy.blackhole()
        with pytest.raises(StoreUnavailable, match="no answer within"):
            await client.acquire("a")
        proxy.heal()
        assert proxy.cancels == 0


async def test_a_cancellation_sends_no_request_to_cancel_and_is_bounded_too(proxied_url: str, proxy: Proxy) -> None:
    """Rule 3."""
    async with LeaseClient(proxied_url, timing=SHORT) as client:
        await warm_async(client)
        proxy.blackhole()
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.acquire("a")
        proxy.heal()
        assert time.monotonic() - begun < 5.0, "so long alone takes psycopg's own request"
        await (await client.acquire("a")).release()
    assert proxy.cancels == 0


async def test_a_blocked_event_loop_holds_up_no_release(database_url: str, told: Recorder, tables: Tables) -> None:
    """Rule 8: what it has asked for, the library's thread does, and wakes whoever waits."""
    async with LeaseClient(database_url, timing=SHORT, on_event=told) as client:
        await warm_async(client)
        with SyncLeaseClient(database_url, timing=SELDOM) as other:
            held = await client.acquire("a")
            acquired_at: list[float] = []

            def wait() -> SyncLease:
                lease = other.acquire("a", wait=LIMIT)
                acquired_at.append(time.monotonic())
                return lease

            with in_thread(wait) as waited:
                await until(lambda: tables.record("a").waiting)
                releasing = asyncio.create_task(held.release())
                await asyncio.sleep(0)
                time.sleep(SHORT.give_up + 1)  # noqa: ASYNC251 - it is this that is tried
                wait_until(lambda: acquired_at, "whoever waits is woken while the loop is blocked")
                assert await releasing
                successor = await asyncio.to_thread(waited)
                assert successor.token == held.token + 1
                await asyncio.to_thread(successor.release)
        assert told.of(events.Lost) == []
        assert held.loss is None
