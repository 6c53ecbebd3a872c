"""Thousands that acquire, release or leave at once: nothing fails on a healthy database, and no lease is lost."""

import asyncio
import os
import sqlite3.dbapi2
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

import lease
from lease import LeaseTiming, LossKind, events
from lease.sync import Lease, LeaseClient
from tests.lease.stores import HASTY, Recorder, Tables, until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds", "own_heap")]

COUNT = int(os.environ.get("LEASED_TEST_BURST", "200"))
THREADS = min(COUNT, 2_000)
TIMING = LeaseTiming(15)
LOOK = 0.5
"""Seconds between two looks of the heartbeat, when it does not stall."""


@contextmanager
def watched(client: "lease.LeaseClient | LeaseClient", what: str) -> Iterator[None]:
    """Measure during the block for how long the heartbeat of ``client``, which holds something, stalls."""
    runtime = client._runtime  # a synchronous client has no heartbeat_age
    kind = "SQLite" if runtime.home is not None and runtime.home.url.get_backend_name() == "sqlite" else "PostgreSQL"
    longest, over, began = [0.0], threading.Event(), time.monotonic()

    def look() -> None:
        while not over.wait(0.01):
            longest[0] = max(longest[0], runtime.core.heartbeat.age() - LOOK)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        took = time.monotonic() - began
        sys.stdout.write(f"\n{kind}: {what}: {took:.1f} s, and the heartbeat stalled for {longest[0]:.2f} s at most")
    assert longest[0] < TIMING.tolerated_outage


def losses(seen: Recorder) -> list[str]:
    return [str(one.loss) for one in seen.of(events.Lost) if one.loss.kind is not LossKind.CLOSED]


async def test_all_who_acquire_and_release_at_once_succeed(database_url: str) -> None:
    seen = Recorder()
    async with lease.LeaseClient(database_url, timing=TIMING, on_event=seen) as client:
        await client.acquire("first")
        with watched(client, f"{COUNT} acquisitions"):
            held = await asyncio.gather(*(client.acquire(f"name {number}") for number in range(COUNT)))
        with watched(client, f"{COUNT} releases"):
            assert all(await asyncio.gather(*(one.release() for one in held)))
    assert losses(seen) == []


@pytest.mark.extended
def test_all_threads_that_acquire_and_release_at_once_succeed(database_url: str) -> None:
    seen, together = Recorder(), threading.Barrier(THREADS)

    def acquire(number: int) -> Lease:
        together.wait()
        return client.acquire(f"name {number}")

    def release(held: Lease) -> bool:
        together.wait()
        return held.release()

    with LeaseClient(database_url, timing=TIMING, on_event=seen) as client, ThreadPoolExecutor(THREADS) as pool:
        client.acquire("first")
        with watched(client, f"{THREADS} threads acquire"):
            held = list(pool.map(acquire, range(THREADS)))
        assert {one.token for one in held} == {1}
        with watched(client, f"{THREADS} threads release"):
            assert all(pool.map(release, held))
    assert losses(seen) == []


async def test_a_release_does_not_wait_behind_acquisitions(database_url: str, tables: Tables) -> None:
    tables.release_all(tables.grant(*(f"name {number}" for number in range(COUNT))))
    async with lease.LeaseClient(database_url, timing=HASTY) as client:
        held = await client.acquire("first")
        acquiring = [asyncio.create_task(client.acquire(f"name {number}")) for number in range(COUNT)]
        await asyncio.sleep(0)
        assert await held.release()
        assert sum(one.done() for one in acquiring) < COUNT / 2
        await asyncio.gather(*acquiring)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("end", ["closed", "cancelled"])
@pytest.mark.parametrize("names", ["one name", "many names"])
async def test_waiters_who_all_leave_at_once_cost_no_lease(
    database_url: str, tables: Tables, names: str, end: str
) -> None:
    seen = Recorder()
    wanted = [f"name {0 if names == 'one name' else number}" for number in range(COUNT)]
    tables.grant(*set(wanted), holder="another", ttl=3600.0)
    in_line = "SELECT count(*) FROM lease WHERE waiters IS NOT NULL"
    client = lease.LeaseClient(database_url, timing=TIMING, on_event=seen)
    async with client:
        held = await client.acquire("first")
        with watched(client, f"{COUNT} come to wait for {names}"):
            waiters = [asyncio.create_task(client.acquire(name, wait=None)) for name in reversed(wanted)]
            await until(lambda: tables.value(in_line) == len(set(wanted)))
        with watched(client, f"{COUNT} who wait for {names} are {end}"):
            if end == "cancelled":
                for one in reversed(waiters):
                    one.cancel()
            else:
                await client.__aexit__()
            answers = await asyncio.gather(*waiters, return_exceptions=True)
        assert len({type(one) for one in answers}) == 1
        assert end == "closed" or await held.release()
    assert losses(seen) == []
    assert tables.value(in_line) == 0


async def test_those_who_wait_on_sqlite_look_and_leave_together(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, thousands would leave no time to a renewal."""
    ran: list[str] = []
    connect = sqlite3.dbapi2.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(ran.append)
        return connection

    monkeypatch.setattr(sqlite3.dbapi2, "connect", traced)
    names = [f"name {number}." for number in range(100)]
    with Tables(sqlite_url) as tables:
        tables.grant(*names, holder="another", ttl=3600.0)
        async with lease.LeaseClient(sqlite_url, timing=HASTY) as client:
            waiters = [asyncio.create_task(client.acquire(name, wait=None)) for name in names]
            await until(lambda: tables.value("SELECT count(*) FROM lease WHERE waiters IS NOT NULL") == len(names))
            came = ran.count("BEGIN IMMEDIATE")
            assert came < 1.5 * len(names), (
                "each needs one transaction to be granted the lease, or else to take a place"
            )
            ran.clear()
            await until(lambda: any(all(name in one for name in names) for one in list(ran)))
            ran.clear()
            for one in waiters:
                one.cancel()
            await asyncio.wait(waiters)
            assert ran.count("BEGIN IMMEDIATE") < len(names) / 2
