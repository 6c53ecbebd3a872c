"""An acquisition that is cancelled at each point where it can be: no grant is left behind, nobody is left
in a queue, and the next acquisition succeeds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

import pytest

from lease import LeaseClient, LeaseNotAcquired
from lease.core import Core, Ticket
from lease.grant_state import GrantState
from lease.testing import MemoryStore
from tests.lease.stores import SELDOM
from tests.support.acquiring import acquire_inside
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]
T = TypeVar("T")
MOST = 2_000
"""Points at which an acquisition may wait, at most."""


class CancelledAt(Generic[T]):
    """Awaits ``work``, and cancels its task as it waits for the time ``number``, and ``again`` so many
    waits later.
    """

    def __init__(self, work: Coroutine[Any, Any, T], number: int, again: int | None) -> None:
        self._work = work
        self._numbers = {number, number + again} if again is not None else {number}
        self._last = max(self._numbers)
        self.waits = 0

    @property
    def was_cancelled(self) -> bool:
        return self.waits >= min(self._numbers)

    def __await__(self) -> Generator[Any, Any, T]:
        send: Callable[[], Any] = lambda: self._work.send(None)  # noqa: E731
        while True:
            try:
                awaited = send()
            except StopIteration as end:
                result: T = end.value
                return result
            self.waits += 1
            if self.waits in self._numbers:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001 - it goes where it would have gone
                send = _throwing(self._work, error)
            else:
                send = lambda: self._work.send(None)  # noqa: E731


def _throwing(work: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


async def cancelled_at(client: LeaseClient, number: int, again: int | None, wait: float | None) -> bool:
    """Acquire "a", be cancelled at the point ``number``, and abandon it as the clients do; return whether it
    got that far. What it was granted without having been cancelled is released.
    """
    ticket = Ticket("a", wait)
    stepped: list[CancelledAt[GrantState]] = []

    async def work(core: Core) -> GrantState:
        stepped.append(CancelledAt(acquire_inside(core, ticket), number, again))
        return await stepped[0]

    asked = asyncio.wrap_future(client._runtime.submit(work))
    with suppress(asyncio.CancelledError, LeaseNotAcquired):
        await asyncio.wait_for(asyncio.shield(asked), LIMIT)
    await asyncio.wrap_future(client._runtime.submit(lambda core: core.abandon(ticket)))
    return stepped[0].was_cancelled


@pytest.fixture(params=["memory", "postgres", "sqlite"])
def doors(request: pytest.FixtureRequest) -> Callable[[], LeaseClient]:
    """Make clients of one store."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: LeaseClient(store=store, timing=SELDOM)
    url: str = request.getfixturevalue(f"{request.param}_url")
    return lambda: LeaseClient(url, timing=SELDOM)


@asynccontextmanager
async def held_by(other: LeaseClient) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Hold "a" until somebody waits for it, or the block ends."""
    held = await other.acquire("a", wait=LIMIT)

    async def release_when_awaited() -> None:
        while not (await other.list("a"))[0].waiting:  # noqa: ASYNC110 - the database sets no event here
            await asyncio.sleep(0.001)
        await held.release()

    releasing = asyncio.ensure_future(release_when_awaited())
    yield lambda: asyncio.wait_for(asyncio.shield(releasing), LIMIT)
    releasing.cancel()
    with suppress(asyncio.CancelledError):
        await releasing
    await held.release()


async def assert_nothing_is_left(client: LeaseClient, other: LeaseClient) -> None:
    """Nothing is held or awaited under the client, and it is nobody's turn within it. What was granted without
    an answer is found by the next renewal, or by the next acquisition.
    """
    core = client._runtime.core
    assert core.heartbeat.held.all() == []
    assert core.turns.owner("a") is None
    for record in await other.list("a"):
        assert record.waiting == ()
        if record.holder == client.holder:
            assert core.heartbeat.in_doubt, "it is looked for"
    held = await client.acquire("a", wait=LIMIT)
    assert held.remaining() > 0
    assert await held.release()
    assert [record.holder for record in await other.list("a")] == [None]


async def at_each_point(client: LeaseClient, other: LeaseClient, work: Callable[[int], Awaitable[bool]]) -> None:
    for number in range(1, MOST):
        reached = await work(number)
        await assert_nothing_is_left(client, other)
        if not reached:
            return
    pytest.fail("it never came to its end")


@pytest.mark.parametrize("again", [None, 1, 2, 3], ids=["once", "again at once", "again soon", "again later"])
@pytest.mark.parametrize("wait", [0.0, LIMIT], ids=["try", "wait"])
async def test_while_the_lease_is_free(doors: Callable[[], LeaseClient], wait: float, again: int | None) -> None:
    async with doors() as other, doors() as client:
        await at_each_point(client, other, lambda number: cancelled_at(client, number, again, wait))


@pytest.mark.on_both
@pytest.mark.parametrize("again", [None, 1, 2, 3], ids=["once", "again at once", "again soon", "again later"])
async def test_while_another_holds_it_and_releases_it_to_who_waits(
    doors: Callable[[], LeaseClient], again: int | None
) -> None:
    async def work(number: int) -> bool:
        async with held_by(other):
            return await cancelled_at(client, number, again, LIMIT)

    async with doors() as other, doors() as client:
        await at_each_point(client, other, work)


@pytest.mark.parametrize("again", [None, 1], ids=["once", "again at once"])
async def test_while_another_task_of_the_client_has_the_turn(
    doors: Callable[[], LeaseClient], again: int | None
) -> None:
    async def work(number: int) -> bool:
        held = await client.acquire("a")
        acquiring = asyncio.ensure_future(cancelled_at(client, number, again, LIMIT))
        await asyncio.wait({acquiring}, timeout=0.01)  # most often, it waits within its client by then
        await held.release()
        return await acquiring

    async with doors() as other, doors() as client:
        await at_each_point(client, other, work)
