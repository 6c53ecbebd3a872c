"""The block of an async `hold`: who is cancelled by a loss, and what else may cancel it meanwhile."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import anyio
import pytest

from lease import Grant, Lease, LeaseClient, LeaseLost, LeaseRecord, Loss, LossKind, events
from lease.cancellation import CancelledOnLoss, answer, uncut
from lease.testing import MemoryStore
from tests.lease.stores import SELDOM, STEADY, Recorder, until
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]
Body = Callable[[], Awaitable[object]]


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def client(store: MemoryStore, told: Recorder) -> AsyncIterator[LeaseClient]:
    async with LeaseClient(store=store, timing=STEADY, on_event=told) as client:
        yield client


async def lose(store: MemoryStore, held: Lease) -> None:
    """End the grant behind its holder's back; return when the holder knows."""
    await store.release(held.grant)
    await until(lambda: held.loss is not None)


async def free(store: MemoryStore, name: str) -> bool:
    record = await store.read(name)
    return record is not None and record.holder is None


def this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


class Service:
    """Started in one task and stopped in another, as services and fixtures are."""

    def __init__(self, client: LeaseClient) -> None:
        self.client = client
        self.stack = AsyncExitStack()

    async def start(self) -> Lease:
        return await self.stack.enter_async_context(self.client.hold("a"))

    async def stop(self) -> None:
        await self.stack.aclose()


async def test_a_block_may_be_left_in_another_task_than_it_was_entered_in(
    client: LeaseClient, store: MemoryStore
) -> None:
    service = Service(client)
    held = await asyncio.create_task(service.start())
    held.ensure()
    await asyncio.create_task(service.stop())
    assert await free(store, "a")


async def test_a_loss_is_raised_in_the_task_that_leaves_and_cancels_no_other(
    client: LeaseClient, store: MemoryStore
) -> None:
    service = Service(client)
    held = await asyncio.create_task(service.start())
    await lose(store, held)
    await asyncio.sleep(0.01)
    with pytest.raises(LeaseLost, match="lease 'a'"):
        await asyncio.create_task(service.stop())


async def test_a_loss_cancels_the_task_that_entered_while_another_leaves(
    client: LeaseClient, store: MemoryStore
) -> None:
    service = Service(client)

    async def main() -> None:
        await service.start()
        await asyncio.sleep(60)

    working = asyncio.create_task(main())
    await until(client._runtime.core.heartbeat.held.all)
    (state,) = client._runtime.core.heartbeat.held.all()
    await store.release(state.grant)
    with pytest.raises(asyncio.CancelledError):
        await working
    with pytest.raises(LeaseLost):
        await service.stop()


async def test_a_loss_that_comes_as_the_block_has_just_been_left_cancels_nothing() -> None:
    """It is heard in another thread, and on its way here."""
    hears: list[Callable[[Loss], None]] = []
    with CancelledOnLoss(hears.append):
        pass
    hears[0](Loss(Grant("x", 1, "holder"), LossKind.ENDED, "stolen"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert this_task().cancelling() == 0


async def test_a_loss_on_its_way_keeps_no_task() -> None:
    """A loop that is at rest would keep it, with its error's frames, until it runs again."""
    hears: list[Callable[[Loss], None]] = []

    async def enter() -> None:
        CancelledOnLoss(hears.append).__enter__()

    entering = asyncio.create_task(enter())
    await entering
    await asyncio.sleep(0)  # asyncio has it in hand as it wakes this
    hears[0](Loss(Grant("x", 1, "holder"), LossKind.ENDED, "stolen"))
    entered = weakref.ref(entering)
    del entering
    assert entered() is None


async def test_a_cancellation_of_the_task_that_leaves_is_not_dropped_with_that_of_the_one_that_entered() -> None:
    hears: list[Callable[[Loss], None]] = []
    block = CancelledOnLoss(hears.append)

    async def enter() -> None:
        block.__enter__()
        hears[0](Loss(Grant("x", 1, "holder"), LossKind.ENDED, "stolen"))
        await asyncio.sleep(60)

    entering = asyncio.create_task(enter())
    with pytest.raises(asyncio.CancelledError):
        await entering
    task = this_task()
    task.cancel()
    with pytest.raises(asyncio.CancelledError), ExitStack() as leaving:  # noqa: PT012
        leaving.push(block)
        await asyncio.sleep(60)
    assert task.uncancel() == 0


async def test_what_a_block_raises_as_a_loss_ends_it_is_raised_and_not_the_loss(
    client: LeaseClient, store: MemoryStore
) -> None:
    with pytest.raises(OSError, match="nothing could be undone"):  # noqa: PT012
        async with client.hold("a") as held:
            try:
                await store.release(held.grant)
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise OSError("nothing could be undone") from None
    assert this_task().cancelling() == 0


async def test_a_cancellation_from_outside_is_not_taken_for_the_loss_that_comes_with_it(
    client: LeaseClient, store: MemoryStore
) -> None:
    async def work() -> None:
        async with client.hold("a") as held:
            try:
                await lose(store, held)
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                working.cancel()
                raise

    working = asyncio.create_task(work())
    with pytest.raises(asyncio.CancelledError):
        await working


async def _within_timeout(work: Body) -> None:
    async with asyncio.timeout(0.05):
        await work()


async def _within_scope_of_anyio(work: Body) -> None:
    with anyio.fail_after(0.05):
        await work()


@pytest.mark.parametrize("limited", [_within_timeout, _within_scope_of_anyio])
async def test_a_time_limit_around_the_block_ends_it_as_ever(
    client: LeaseClient, store: MemoryStore, limited: Callable[[Body], Awaitable[None]]
) -> None:
    async def work() -> None:
        async with client.hold("a"):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await limited(work)
    assert await free(store, "a")


async def _in_task_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.sleep(60))


async def _in_task_group_of_anyio() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(asyncio.sleep, 60)


async def _in_timeout() -> None:
    async with asyncio.timeout(60):
        await asyncio.sleep(60)


async def _in_scope_of_anyio() -> None:
    with anyio.move_on_after(60):
        await asyncio.sleep(60)


@pytest.mark.parametrize("body", [_in_task_group, _in_task_group_of_anyio, _in_timeout, _in_scope_of_anyio])
async def test_a_loss_ends_what_the_block_waits_for(client: LeaseClient, store: MemoryStore, body: Body) -> None:
    with pytest.raises(LeaseLost):  # noqa: PT012
        async with client.hold("a") as held:
            await store.release(held.grant)
            await body()
    assert this_task().cancelling() == 0


async def test_the_loss_of_the_inner_of_two_leases_leaves_the_outer_block_alone(
    client: LeaseClient, store: MemoryStore
) -> None:
    async with client.hold("outer") as outer:
        with pytest.raises(LeaseLost, match="'inner'"):  # noqa: PT012
            async with client.hold("inner") as inner:
                await store.release(inner.grant)
                await asyncio.sleep(60)
        outer.ensure()
        await asyncio.sleep(0.01)


async def test_the_loss_of_the_outer_of_two_leases_ends_both_blocks(client: LeaseClient, store: MemoryStore) -> None:
    with pytest.raises(LeaseLost, match="'outer'"):  # noqa: PT012
        async with client.hold("outer") as outer, client.hold("inner"):
            await store.release(outer.grant)
            await asyncio.sleep(60)
    assert await free(store, "inner")


async def test_the_loss_of_both_is_that_of_the_outer(client: LeaseClient, store: MemoryStore) -> None:
    with pytest.raises(LeaseLost, match="'outer'"):  # noqa: PT012
        async with client.hold("outer") as outer, client.hold("inner") as inner:
            await store.release(outer.grant)
            await store.release(inner.grant)
            await asyncio.sleep(60)
    assert this_task().cancelling() == 0


async def test_who_is_cancelled_while_it_waits_for_an_answer_cancels_what_was_asked() -> None:
    asked = Future[None]()
    waiting = asyncio.create_task(answer(asked))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asked.cancelled()


async def test_who_finds_an_answer_there_lets_others_have_their_turn() -> None:
    turns: list[str] = []
    asked = Future[None]()
    asked.set_result(None)
    asyncio.get_running_loop().call_soon(turns.append, "another's")
    await answer(asked)
    assert turns == ["another's"]


@pytest.mark.parametrize("how", [answer, uncut])
async def test_an_answer_that_was_cancelled_is_a_cancellation_to_asyncio(
    how: Callable[[Future[None]], Awaitable[None]],
) -> None:
    """`concurrent.futures` has one of its own, which would pass for an ordinary error."""
    asked = Future[None]()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await how(asked)


@pytest.mark.usefixtures("own_heap")
@pytest.mark.parametrize("kind", [Future, asyncio.Future])
@pytest.mark.parametrize("end", ["answered", "failed", "cancelled"])
async def test_who_is_cancelled_in_what_must_not_be_cut_is_cancelled_at_its_end_whatever_that_is(
    caplog: pytest.LogCaptureFixture, kind: type[Future[None]], end: str
) -> None:
    asked = kind()
    waiting = asyncio.create_task(uncut(asked))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    if end == "cancelled":
        asked.cancel()
    elif end == "failed":
        asked.set_exception(OSError("which nobody asks for"))
    else:
        asked.set_result(None)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    del asked
    gc.collect()  # which is when asyncio would log it
    assert caplog.messages == []


async def test_what_is_granted_to_a_task_that_is_cancelled_meanwhile_is_free_when_it_has_ended(
    store: MemoryStore, told: Recorder
) -> None:
    """Whenever the next renewal would find it."""
    begun, let_go, grant = asyncio.Event(), asyncio.Event(), store.grant
    loop = asyncio.get_running_loop()

    async def slow_grant(*asked: Any, **how: Any) -> Grant | LeaseRecord | None:
        answer = await grant(*asked, **how)
        loop.call_soon_threadsafe(begun.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(let_go.wait(), loop))
        return answer

    async with LeaseClient(store=store, timing=SELDOM, on_event=told) as client, client.hold("kept"):
        store.grant = slow_grant  # type: ignore[method-assign]
        acquiring = asyncio.create_task(client.acquire("a"))
        await begun.wait()
        acquiring.cancel()
        await until(lambda: any(one.is_cut for one in list(client._runtime.core.acquiring)))
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await acquiring
        assert await free(store, "a")
    assert told.of(events.OrphanReleased) == []


async def test_a_grant_whose_caller_has_gone_and_that_cannot_be_released_is_told(
    store: MemoryStore, client: LeaseClient, told: Recorder
) -> None:
    acquiring = asyncio.create_task(client.acquire("a"))
    await asyncio.sleep(0)
    wait_until(lambda: told.of(events.Granted), "it is granted, and its caller, whose loop is blocked, has not heard")
    store.available = False
    acquiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    failed = told.wait_for(events.ReleaseFailed)
    assert "unavailable" in failed.error
    store.available = True
