"""Clients that are closed, and tasks that are cancelled, while a lease is just being released."""

import asyncio
import threading

import anyio
import pytest

import lease
from lease import LeaseError, delivery, events
from lease.testing import MemoryStore
from tests.lease.stores import HASTY, SELDOM, Recorder, until
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]


class SlowStore(MemoryStore):
    """Whose releases wait until a test lets them go on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = threading.Event(), threading.Event()

    async def release(self, grant: lease.Grant) -> bool:
        self.asked.set()
        await until(self.answers.is_set)
        return await super().release(grant)


async def test_a_release_that_is_under_way_is_no_loss() -> None:
    """Its work has ended well; closing waits for its answer."""
    slow, told = SlowStore(), Recorder()
    async with lease.LeaseClient(store=slow, timing=SELDOM, on_event=told) as client:
        held = await client.acquire("a")
        releasing = asyncio.ensure_future(held.release())
        await until(slow.asked.is_set)
        closing = asyncio.ensure_future(client.__aexit__())
        await until(lambda: client._runtime.core._closed)
        slow.answers.set()
        assert await asyncio.wait_for(releasing, LIMIT)
        await asyncio.wait_for(closing, LIMIT)
    assert [type(event) for event in told.all] == [events.Granted, events.Released]


async def test_a_release_that_takes_longer_than_kill_time_is_a_loss() -> None:
    slow = SlowStore()
    async with lease.LeaseClient(store=slow, timing=HASTY) as client:
        held = await client.acquire("a")
        releasing = asyncio.ensure_future(held.release())
        await until(slow.asked.is_set)
        await client.__aexit__()
    assert held.loss is not None
    assert "the client was closed" in held.loss.cause
    with pytest.raises(LeaseError, match="this client was closed before this call was answered"):
        await releasing


@pytest.mark.parametrize("end", ["it ends", "it is cancelled before"])
async def test_a_hold_that_is_cancelled_while_its_lease_is_being_released_releases_it_once(end: str) -> None:
    async def hold() -> None:
        async with client.hold("a"):
            if end == "it is cancelled before":
                holding.cancel()
                await asyncio.sleep(LIMIT)

    slow, told = SlowStore(), Recorder()
    async with lease.LeaseClient(store=slow, timing=SELDOM, on_event=told) as client:
        holding = asyncio.create_task(hold())
        await until(slow.asked.is_set)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        slow.answers.set()
        await until(lambda: told.of(events.Released))
    assert [type(event) for event in told.all] == [events.Granted, events.Released]


async def test_a_hold_in_a_scope_that_is_cancelled_ends_after_its_release() -> None:
    async def hold() -> None:
        with anyio.CancelScope() as scope:
            async with client.hold("a"):
                scope.cancel()

    slow = SlowStore()
    async with lease.LeaseClient(store=slow, timing=SELDOM) as client:
        holding = asyncio.create_task(hold())
        await until(slow.asked.is_set)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not holding.done()
        slow.answers.set()
        await holding


async def test_a_program_that_ends_a_grant_in_its_own_transaction_is_waited_for(told: Recorder) -> None:
    async with lease.LeaseClient(store=MemoryStore(), timing=SELDOM, on_event=told) as client:
        held = await client.acquire("a")
        async with held.ending():
            closing = asyncio.ensure_future(client.__aexit__())
            await until(lambda: client._runtime.core._closed)
        await asyncio.wait_for(closing, SELDOM.kill_time / 2)
    assert [type(event) for event in told.all] == [events.Granted], "neither lost nor left to its ttl"


async def test_a_program_that_takes_longer_than_kill_time_to_end_a_grant_learns_that_its_client_is_closed() -> None:
    async with lease.LeaseClient(store=MemoryStore(), timing=HASTY) as client:
        held = await client.acquire("a")
        with pytest.raises(LeaseError, match="this client is closed"):
            async with held.ending():
                await client.__aexit__()


async def test_closing_waits_for_the_subscriber_and_blocks_no_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, go_on = list[events.Event](), threading.Event()

    def listen(event: events.Event) -> None:
        assert go_on.wait(LIMIT)
        heard.append(event)

    monkeypatch.setattr(delivery, "_PATIENCE", LIMIT)
    async with lease.LeaseClient(store=MemoryStore(), timing=SELDOM, on_event=listen) as client:
        await (await client.acquire("a")).release()
        runtime = client._runtime
        closing = asyncio.ensure_future(client.__aexit__())
        await until(lambda: runtime._delivered)
        await asyncio.wrap_future(runtime.means.loop.submit(lambda: asyncio.sleep(0)))
        go_on.set()
        await closing
    assert len(heard) == 2
