"""The turns of one client's tasks and threads at a name. A caller that wants what it has itself waits, as any other one
does, unless it could wait for ever in vain.
"""

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

import pytest

import lease
from lease import LeaseError, LeaseNotAcquired
from lease.sync import LeaseClient
from lease.turns import LocalTurn, Turns
from tests.lease.calls.callers import traced
from tests.lease.stores import HASTY, Tables, in_thread, until
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio


async def test_a_turn_that_did_not_come_in_time_is_given_up() -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert await turns.take(first, 0)
    assert not await turns.take(LocalTurn("a", 2), 0.01)
    turns.end(first)
    assert await turns.take(LocalTurn("a", 3), 0), "nobody was left in the queue"


@pytest.mark.parametrize("when", ["before its turn", "as its turn comes"])
async def test_one_that_is_cancelled_holds_up_nobody(when: str) -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert await turns.take(first, 0)
    second = asyncio.create_task(turns.take(LocalTurn("a", 2), None))
    third = asyncio.create_task(turns.take(LocalTurn("a", 3), None))
    await asyncio.sleep(0)
    if when == "as its turn comes":
        turns.end(first)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    if when == "before its turn":
        turns.end(first)
    await until(third.done)
    assert third.result()
    assert turns.owner("a") == 3


async def test_one_that_is_cancelled_has_no_turn_until_it_leaves() -> None:
    """Else its caller's next call could be told that it has the lease already."""
    turns, first = Turns(), LocalTurn("a", 1)
    assert turns.take_now(first)
    second = asyncio.create_task(turns.take(LocalTurn("a", 2), None))
    await asyncio.sleep(0)
    owners: list[object] = []
    turns.end(first)
    asyncio.get_running_loop().call_soon(lambda: owners.append(turns.owner("a")))
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert owners == [None]


async def test_a_turn_that_has_ended_ends_no_later_one() -> None:
    turns, first, second = Turns(), LocalTurn("a", 1), LocalTurn("a", 1)
    assert turns.take_now(first)
    turns.end(first)
    assert turns.take_now(second)
    turns.end(first)
    assert turns.has(second)


@pytest.mark.parametrize("line", range(8))
async def test_a_turn_that_ends_in_another_thread_as_one_begins_to_wait_for_it_comes_at_once(line: int) -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert turns.take_now(first)
    with _at_lines_of(Turns.take, {line: lambda: turns.end(first)}):
        assert await turns.take(LocalTurn("a", 2), LIMIT)


async def test_who_does_not_wait_passes_nobody_who_does() -> None:
    turns, first = Turns(), LocalTurn("a", 1)
    assert turns.take_now(first)
    second = asyncio.create_task(turns.take(LocalTurn("a", 2), None))
    await asyncio.sleep(0)
    turns.end(first)
    assert not turns.take_now(LocalTurn("a", 3))
    await until(second.done)
    assert turns.owner("a") == 2


async def test_thousands_that_leave_at_once_from_wherever_they_stand_cost_a_step_each() -> None:
    """Many more, and each would hold up the heartbeat for all those before it."""
    turns, number = Turns(), 10_000
    first = LocalTurn("a", 0)
    assert turns.take_now(first)
    waiters = [asyncio.create_task(turns.take(LocalTurn("a", owner), None)) for owner in range(1, number)]
    await asyncio.sleep(0)
    began = time.thread_time()
    for one in reversed(waiters):
        one.cancel()
    await asyncio.wait(waiters)
    assert time.thread_time() - began < 0.8, "it takes a tenth of a second; with a look at all who wait, three"
    turns.end(first)
    assert turns.take_now(LocalTurn("a", 0)), "nobody was left in the queue"


@pytest.mark.parametrize(("second", "fourth"), [*itertools.combinations(range(5), 2)])
async def test_a_turn_that_two_threads_end_takes_none_from_those_who_begin_meanwhile(second: int, fourth: int) -> None:
    """As one thread comes to a line of the end, another ends the same turn, and a third begins one; later, a fourth."""
    turns, ended, third, last = Turns(), *(LocalTurn("a", number) for number in range(3))
    began: list[LocalTurn] = []

    def end_and_begin() -> None:
        turns.end(ended)
        began.extend([third] if turns.take_now(third) else [])

    def begin() -> None:
        began.extend([last] if turns.take_now(last) else [])

    assert turns.take_now(ended)
    with _at_lines_of(Turns.end, {second: end_and_begin, fourth: begin}):
        turns.end(ended)
    assert [one for one in (third, last) if turns.has(one)] == began


@contextmanager
def _at_lines_of(function: Callable[..., object], steps: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Take each step as ``function`` comes to so many lines: what other threads do before it goes on."""
    code, come = function.__code__, itertools.count()

    def trace(_frame: FrameType, event: str, _: object) -> Any:
        step = steps.get(next(come)) if event == "line" else None
        if step is not None:
            sys.settrace(None)
            step()
            sys.settrace(begin)
        return trace

    def begin(frame: FrameType, _event: str, _: object) -> Any:
        return trace if frame.f_code is code else None

    with traced(begin):
        yield


@pytest.fixture
def client(database_url: str, passing_seconds: None) -> Iterator[LeaseClient]:
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


@pytest.mark.usefixtures("passing_seconds")
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
