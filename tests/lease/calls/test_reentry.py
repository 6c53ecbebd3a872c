"""A caller that wants what it has itself: it waits, as any other one does, unless it could wait for ever in vain."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

import lease
from lease import LeaseError, LeaseNotAcquired
from lease.sync import LeaseClient
from tests.lease.stores import HASTY, Tables, in_thread, until
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]


@pytest.fixture
def client(database_url: str) -> Iterator[LeaseClient]:
    with LeaseClient(database_url, timing=HASTY) as client:
        yield client


def is_waited_for(client: lease.LeaseClient | LeaseClient) -> bool:
    """Return whether a task or thread of the client waits for another one of it."""
    return "a" in client._runtime.core.turns._queues


def test_a_pools_thread_that_serves_a_second_request_waits_for_the_first(client: LeaseClient) -> None:
    """As the dependencies of a web framework do, which are entered and left in threads of a pool."""
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as other:
        first = pool.submit(client.acquire, "a").result(LIMIT)
        second = pool.submit(client.acquire, "a", wait=LIMIT)
        wait_until(lambda: second.done() or is_waited_for(client), "the second one waits")
        assert not second.done()
        assert other.submit(first.release).result(LIMIT)
        assert second.result(LIMIT).token == first.token + 1


def test_a_generator_that_was_left_early_is_waited_for(client: LeaseClient) -> None:
    leading = client.lead("a")
    first = next(leading)

    def release_when_waited_for() -> None:
        wait_until(lambda: is_waited_for(client), "somebody waits")
        first.release()

    with in_thread(release_when_waited_for) as closed, client.hold("a", wait=LIMIT) as held:
        assert held.token == first.token + 1
        closed()


def test_who_waits_in_vain_for_itself_is_told_so_when_its_time_is_over(client: LeaseClient) -> None:
    with client.hold("a") as held:
        begun = time.monotonic()
        with pytest.raises(LeaseNotAcquired, match=r"\(waited 0.3s\): this task or thread already holds it") as refused:
            client.acquire("a", wait=0.3)
        assert time.monotonic() - begun >= 0.3
        assert (refused.value.holder, refused.value.token) == (held.holder, held.token)


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
            await until(lambda: _is_releasing(client))
            releasing.cancel()
            unlocking = asyncio.ensure_future(_unlock_when_waited_for(client, locked))
            async with asyncio.timeout(LIMIT):
                assert (await client.acquire("a", wait=None)).token == held.token + 1
            await unlocking


def _is_releasing(client: lease.LeaseClient) -> bool:
    held = client._runtime.core.heartbeat.held.named("a")
    return held is not None and held.ending


async def _unlock_when_waited_for(client: lease.LeaseClient, locked: ExitStack) -> None:
    await until(lambda: is_waited_for(client))
    locked.close()


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
    with client.hold("a"), pytest.raises(LeaseError, match="this task or thread already holds it"):
        client.acquire("a", wait=None)


async def test_a_sync_wait_without_end_for_a_task_of_another_loop_ends_when_that_releases_it(
    client: LeaseClient,
) -> None:
    held = threading.Event()

    async def hold() -> None:
        with client.hold("a"):
            held.set()
            await until(lambda: is_waited_for(client))

    with in_thread(lambda: asyncio.run(hold())) as over:
        assert held.wait(LIMIT)
        client.acquire("a", wait=None).release()
        over()
