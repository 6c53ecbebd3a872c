"""The async client, on either kind of database and in memory."""

import asyncio
import copy
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import anyio
import pytest
from sqlalchemy import text

from lease import Grant, InvalidDuration, LeaseClient, LeaseError, LeaseLost, LeaseNotAcquired, events
from lease.calls.acquiring import _Acquisition
from lease.clock import boottime
from lease.testing import MemoryStore
from tests.lease.stores import QUICK, SHORT, STEADY, Recorder, Tables, until
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]


@pytest.fixture
async def client(database_url: str, told: Recorder) -> AsyncIterator[LeaseClient]:
    async with LeaseClient(database_url, timing=STEADY, on_event=told) as client:
        yield client


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


async def token_of(client: LeaseClient, name: str, wait: str | None) -> int:
    async with client.hold(name, wait=wait) as held:
        return held.token


async def event_of(told: Recorder, kind: type[events.Event]) -> None:
    await until(lambda: told.of(kind))


async def test_a_lease_is_held_during_the_block_and_free_after_it(client: LeaseClient, tables: Tables) -> None:
    async with client.hold("a") as held:
        assert (held.name, held.token, held.holder) == ("a", 1, client.holder)
        assert 0 < held.remaining() <= STEADY.give_up
        held.ensure(at_least="1ms")
        assert tables.record("a").grant == held.grant
    assert tables.record("a").holder is None
    assert held.remaining() == 0
    with pytest.raises(LeaseLost, match="released"):
        held.ensure()
    with pytest.raises(ZeroDivisionError):
        async with client.hold("a"):
            raise ZeroDivisionError
    assert tables.record("a").holder is None


async def test_a_blocked_event_loop_keeps_its_lease(
    database_url: str, told: Recorder, tables: Tables, passing_seconds: None
) -> None:
    """Rule 8: the heartbeat has a thread of its own."""
    async with LeaseClient(database_url, timing=SHORT, on_event=told) as client, client.hold("a") as held:
        time.sleep(1.5 * SHORT.ttl)  # noqa: ASYNC251 - what the test is about
        held.ensure()
        assert tables.grant("a", holder="thief") == []
    assert told.of(events.Lost) == []
    assert len(told.of(events.Renewed)) >= 4


async def test_the_same_client_twice_is_refused_and_told_so(client: LeaseClient) -> None:
    async with client.hold("a"):
        with pytest.raises(LeaseNotAcquired, match="not reentrant"):
            async with client.hold("a"):
                pass
        with pytest.raises(LeaseNotAcquired, match="not reentrant"):
            async with client.hold("a", wait=None):
                pass


async def test_the_block_is_cancelled_when_the_lease_is_lost_and_the_cause_is_raised_after_it(
    client: LeaseClient, tables: Tables, told: Recorder
) -> None:
    """Rule 9: a loss stops the work."""
    cancelled = False
    with pytest.raises(LeaseLost, match=r"lease 'a' \(token 1\) is lost: stolen by ben with token 2") as lost:  # noqa: PT012
        async with client.hold("a") as held:
            tables.make_stale("a")
            while not tables.grant("a", holder="ben"):
                tables.make_stale("a")
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled = True
                raise
    assert cancelled
    assert lost.value.cause == "stolen by ben with token 2"
    assert held.loss is not None
    assert tables.record("a").holder == "ben"
    assert not await held.release()


@pytest.mark.parametrize("wait", ["soon", -1, float("nan"), True, b"1s"])
async def test_a_wait_that_is_no_duration_is_refused(client: LeaseClient, tables: Tables, wait: Any) -> None:
    with pytest.raises(InvalidDuration, match="not a duration"):
        await client.acquire("a", wait=wait)
    assert tables.read("a") is None


async def test_a_held_lease_is_refused_with_its_holder_in_words_and_in_fields(
    client: LeaseClient, tables: Tables
) -> None:
    tables.grant("a", holder="ben", label="ben's host:17")
    assert await client.try_acquire("a") is None
    with pytest.raises(LeaseNotAcquired, match=r"held by ben's host:17 .*ben, token 1") as refused:
        await client.acquire("a", wait=timedelta(milliseconds=200))
    error = copy.copy(refused.value)  # as a process pool sends it
    assert str(error) == str(refused.value)
    assert (error.name, error.holder, error.label, error.token) == ("a", "ben", "ben's host:17", 1)
    assert error.waited == 0.2
    assert error.held_for is not None
    assert error.held_for > 0


async def test_a_refusal_of_a_free_lease_whose_row_is_locked_names_no_holder(postgres_tables: Tables) -> None:
    postgres_tables.release(postgres_tables.one("a"))
    with postgres_tables.transaction() as connection:
        connection.execute(text("SELECT 1 FROM lease FOR UPDATE"))
        async with LeaseClient(postgres_tables.url, timing=STEADY) as client:
            with pytest.raises(LeaseNotAcquired, match="busy every time") as refused:
                await client.acquire("a")
    error = refused.value
    assert (error.name, error.holder, error.label, error.token, error.held_for) == ("a", None, None, None, None)


async def test_closing_the_client_ends_its_waits_with_a_sentence(
    database_url: str, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hear = threading.Event(), _Acquisition._hear

    async def heard(*arguments: Any) -> None:
        begun.set()
        await hear(*arguments)

    monkeypatch.setattr(_Acquisition, "_hear", heard)
    tables.one("a", holder="ben")
    async with LeaseClient(database_url, timing=STEADY) as client:
        waiting = asyncio.ensure_future(token_of(client, "a", None))
        await until(begun.is_set)  # not its place in the queue alone: it would be told before it waits
        assert tables.record("a").waiting
        assert not waiting.done()
    with pytest.raises(LeaseError, match="closed while it acquired lease 'a'"):
        await asyncio.wait_for(waiting, LIMIT)
    assert tables.record("a").waiting == ()


async def test_a_closed_client_refuses_with_a_sentence(database_url: str) -> None:
    client = LeaseClient(database_url, timing=STEADY)
    with pytest.raises(LeaseError, match="not open"):
        await client.try_acquire("a")
    async with client:
        pass
    with pytest.raises(LeaseError, match="closed"):
        await client.try_acquire("a")
    with pytest.raises(LeaseError, match="used before"):
        async with client:
            pass


async def test_closing_while_the_store_is_away_takes_no_longer_than_trust(
    store: MemoryStore, starvation: Starvation
) -> None:
    """Each release would be tried three times; a thousand leases must not hold up a shutdown."""
    told = Recorder()
    async with LeaseClient(store=store, timing=QUICK, on_event=told) as client:
        for number in range(200):
            assert await client.try_acquire(f"name-{number}") is not None
        store.available = False
        begun = boottime()
    starvation.assert_within(QUICK.give_up + 1, begun, boottime(), "it is closed")
    assert len(told.of(events.ReleaseFailed)) + len(told.of(events.Lost)) >= 200


async def test_leading_goes_on_with_a_new_grant_each_time(client: LeaseClient, tables: Tables) -> None:
    tokens = []
    async for held in client.lead("leader"):
        tokens.append(held.token)
        assert tables.record("leader").grant == held.grant
        if len(tokens) == 3:
            break
    assert tokens == [1, 2, 3]


async def test_a_lease_is_read_and_listed(client: LeaseClient) -> None:
    async with client.hold("job/a"), client.hold("job/b"):
        record = await client.read("job/a")
        assert record is not None
        assert record.holder == client.holder
        assert record.label is not None
        assert record.label.endswith(f":{os.getpid()}")
        assert [record.name for record in await client.list("job/")] == ["job/a", "job/b"]
    assert await client.read("never") is None


async def test_a_wait_outlasts_a_store_that_is_away_for_a_while_and_says_so_once(
    store: MemoryStore, told: Recorder
) -> None:
    async with LeaseClient(store=store, timing=QUICK, on_event=told) as client:
        store.available = False
        waiting = asyncio.ensure_future(token_of(client, "a", "20s"))
        await event_of(told, events.Unanswered)
        await asyncio.sleep(0.2)
        store.available = True
        assert await asyncio.wait_for(waiting, LIMIT) == 1
    assert [unanswered.name for unanswered in told.of(events.Unanswered)] == ["a"]


async def test_a_program_that_grants_in_its_own_transaction_adopts_what_it_was_granted(
    client: LeaseClient, tables: Tables, told: Recorder
) -> None:
    async with client.acquiring() as acquisition:
        (grant,) = tables.grant("a", holder=client.holder)
        (held,) = await acquisition.adopt([grant])
    await event_of(told, events.Renewed)
    assert held.remaining() > 0
    async with held.ending():
        assert tables.release(grant)
    assert told.of(events.Lost) == []
    assert told.of(events.OrphanReleased) == []


async def test_a_grant_that_a_program_ends_in_its_own_transaction_is_over_unless_that_fails(
    client: LeaseClient, tables: Tables
) -> None:
    held = await client.acquire("a")
    with pytest.raises(RuntimeError):
        async with held.ending():
            raise RuntimeError
    held.ensure()
    async with held.ending():
        assert tables.release(held.grant)
    with pytest.raises(LeaseLost, match="was released"):
        held.ensure()
    assert (await client.acquire("a")).token == 2


async def test_what_was_granted_in_a_programs_own_transaction_is_not_taken_from_it_by_its_own_client(
    client: LeaseClient, tables: Tables
) -> None:
    async with client.acquiring() as acquisition:
        (grant,) = tables.grant("a", holder=client.holder)
        with pytest.raises(LeaseNotAcquired):
            await client.acquire("a")
        (held,) = await acquisition.adopt([grant])
    assert tables.record("a").grant == held.grant
    await held.release()


async def test_what_its_program_has_adopted_is_refused_to_its_own_client(store: MemoryStore) -> None:
    async with LeaseClient(store=store, timing=STEADY) as client:
        async with client.acquiring() as acquisition:
            grant = await store.grant("a", client.holder, "", STEADY.ttl)
            assert isinstance(grant, Grant)
            (held,) = await acquisition.adopt([grant])
        with pytest.raises(LeaseNotAcquired, match="this client already holds it"):
            await client.acquire("a")
        assert await held.release()


async def test_what_is_adopted_while_a_task_waits_for_it_is_not_taken_from_the_program(
    client: LeaseClient, tables: Tables
) -> None:
    async with client.acquiring() as acquisition:
        (grant,) = tables.grant("a", holder=client.holder)
        waiting = asyncio.ensure_future(client.acquire("a", wait=LIMIT))
        await until(lambda: bool(tables.record("a").waiting))
        (held,) = await acquisition.adopt([grant])
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert tables.record("a").grant == held.grant
    await held.release()


async def test_what_was_granted_in_a_transaction_that_failed_afterwards_is_released(
    client: LeaseClient, tables: Tables, told: Recorder
) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with client.acquiring():
            tables.grant("a", holder=client.holder)
            raise RuntimeError
    await event_of(told, events.OrphanReleased)
    assert tables.record("a").holder is None


async def test_what_was_granted_in_a_block_that_was_cancelled_is_released(
    client: LeaseClient, tables: Tables, told: Recorder
) -> None:
    """And the acquisition is over when the block has been left, also where the library's thread is busy."""
    goes_on = threading.Event()
    with anyio.CancelScope() as scope:
        async with client.acquiring():
            tables.grant("a", holder=client.holder)
            client._runtime.call(lambda _: goes_on.wait(LIMIT))
            asyncio.get_running_loop().call_later(0.05, goes_on.set)
            scope.cancel()
            await anyio.sleep_forever()
    assert goes_on.is_set()
    await event_of(told, events.OrphanReleased)
    assert tables.record("a").holder is None


class InterruptedSet(set[Any]):
    def add(self, one: Any) -> None:
        super().add(one)
        raise KeyboardInterrupt


async def test_an_acquisition_that_a_signal_ends_as_it_begins_explains_nothing_afterwards(
    client: LeaseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    flights = client._runtime.core.heartbeat.flights
    monkeypatch.setattr(flights, "under_way", InterruptedSet())
    with pytest.raises(KeyboardInterrupt):
        async with client.acquiring():
            pass
    assert not flights.under_way


async def test_a_cancelled_acquisition_explains_nothing_afterwards(
    client: LeaseClient, tables: Tables, told: Recorder
) -> None:
    async def acquire() -> None:
        async with client.acquiring():
            pass

    for number in range(25):
        task = asyncio.ensure_future(acquire())
        await asyncio.sleep(number / 20_000)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    tables.grant("lost", holder=client.holder)
    async with client.hold("a"):
        await event_of(told, events.OrphanReleased)


async def test_a_client_needs_a_database_or_a_store() -> None:
    with pytest.raises(LeaseError, match="but not both"):
        LeaseClient()
    with pytest.raises(LeaseError, match="but not both"):
        LeaseClient("sqlite:///a.db", store=MemoryStore())
