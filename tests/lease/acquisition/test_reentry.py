"""A caller that wants what it has itself: it waits, as any other one does, unless it could wait for ever in vain."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack

import pytest

import lease
from lease import LeaseError, LeaseNotAcquired
from lease.sync import Lease, LeaseClient
from tests.lease.stores import HASTY, Tables, in_thread
from tests.support.waiting import LIMIT

REFUSED_BY_NOW = 0.2
"""Seconds after which a call that is refused at once has been; one that waits still waits, however busy the machine."""

pytestmark = pytest.mark.usefixtures("passing_seconds")


@pytest.fixture
def client(database_url: str) -> Iterator[LeaseClient]:
    with LeaseClient(database_url, timing=HASTY) as client:
        yield client


def test_a_pools_thread_that_serves_a_second_request_waits_for_the_first(client: LeaseClient, tables: Tables) -> None:
    """As the dependencies of a web framework do, which are entered and left in threads of a pool."""
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as other:
        first = pool.submit(client.acquire, "a").result(LIMIT)
        second = pool.submit(client.acquire, "a", wait=LIMIT)
        assert not wait([second], REFUSED_BY_NOW).done
        assert other.submit(first.release).result(LIMIT)
        assert second.result(LIMIT).token == first.token + 1


def test_a_generator_that_was_left_early_is_waited_for(client: LeaseClient) -> None:
    leading = client.lead("a")
    first = next(leading)
    with in_thread(lambda: _release_later(first)) as closed, client.hold("a", wait=LIMIT) as held:
        assert held.token == first.token + 1
        closed()


def _release_later(held: Lease) -> None:
    time.sleep(REFUSED_BY_NOW)
    held.release()


def test_who_waits_in_vain_for_itself_is_told_so_when_its_time_is_over(client: LeaseClient) -> None:
    with client.hold("a") as held:
        begun = time.monotonic()
        with pytest.raises(LeaseNotAcquired, match=r"\(waited 0.3s\): this task or thread already holds it") as refused:
            client.acquire("a", wait=0.3)
        assert time.monotonic() - begun >= 0.3
        assert (refused.value.holder, refused.value.token) == (held.holder, held.token)


@pytest.mark.anyio
async def test_who_waits_for_ever_waits_for_its_own_release_that_was_cancelled(
    database_url: str, tables: Tables
) -> None:
    async with lease.LeaseClient(database_url, timing=HASTY) as client:
        held = await client.acquire("a")
        with ExitStack() as locked:
            connection = locked.enter_context(tables.transaction())
            if tables.postgresql:
                connection.exec_driver_sql("SELECT 1 FROM lease WHERE name = 'a' FOR UPDATE")
            releasing = asyncio.ensure_future(held.release())
            await asyncio.sleep(REFUSED_BY_NOW)  # it is under way, and waits for the row
            releasing.cancel()
            unlocking = asyncio.ensure_future(_unlock_later(locked))
            async with asyncio.timeout(LIMIT):
                assert (await client.acquire("a", wait=None)).token == held.token + 1
            await unlocking


async def _unlock_later(locked: ExitStack) -> None:
    await asyncio.sleep(REFUSED_BY_NOW)
    locked.close()


@pytest.mark.anyio
async def test_a_sync_wait_without_end_for_another_task_of_the_same_loop_is_refused(client: LeaseClient) -> None:
    """That task could never release it, as the wait blocks the loop in which it runs."""
    held, over = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        with client.hold("a"):
            held.set()
            await over.wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    with pytest.raises(LeaseError, match="held by another task of this event loop, which can't release it"):
        client.acquire("a", wait=None)
    over.set()
    await holding
    client.acquire("a", wait=None).release()
