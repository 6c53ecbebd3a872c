"""What is over is in no circle of references: what thousands leave at once to the garbage collector stops every thread
of the process until it is collected, the heartbeat too.
"""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import CoroutineType, FrameType, TracebackType

import pytest

import lease
import lease.sync
from lease import LeaseNotAcquired, StoreUnavailable
from tests.lease.stores import HASTY, Tables, until
from tests.support.acquiring import release_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds", "own_heap")]

COUNT = 20
FREE = [f"free {number:02}" for number in range(COUNT)]
HELD = [f"held {number:02}" for number in range(COUNT)]
"""Names that another client holds."""
QUEUES = "SELECT count(*) FROM lease WHERE waiters IS NOT NULL"


@contextmanager
def no_circles() -> Iterator[None]:
    """Let the collector find nothing of the library's, and no frame, that was left in the block."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = Counter(type(one).__qualname__ for one in gc.garbage if _is_ours(one))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left.total() < COUNT / 2, f"the collector would have to end {left}"


def _is_forgotten(client: "lease.LeaseClient | lease.sync.LeaseClient") -> bool:
    """Return whether the ledger of ``client`` has no caller any more."""
    return not client._runtime.means.ledger.entries


def _is_ours(one: object) -> bool:
    kinds = (FrameType, TracebackType, CoroutineType, asyncio.Future, BaseException)
    return isinstance(one, kinds) or type(one).__module__.startswith("lease")


async def _release(client: lease.LeaseClient, _: Tables) -> None:
    for one in await asyncio.gather(*map(client.acquire, FREE)):
        await one.release()


async def _hold(client: lease.LeaseClient, _: Tables) -> None:
    for name in FREE:
        async with client.hold(name):
            pass


async def _fail(client: lease.LeaseClient, _: Tables) -> None:
    for name in FREE:
        with suppress(KeyError):
            async with client.hold(name):
                raise KeyError(name)


async def _are_refused(client: lease.LeaseClient, _: Tables) -> None:
    await asyncio.gather(*map(client.try_acquire, HELD))


async def _time_out(client: lease.LeaseClient, _: Tables) -> None:
    await asyncio.gather(*(client.acquire(name, wait=0.05) for name in HELD), return_exceptions=True)


async def _are_cancelled(client: lease.LeaseClient, tables: Tables) -> None:
    await _leave(client, tables, HELD)


async def _are_cancelled_in_line(client: lease.LeaseClient, tables: Tables) -> None:
    await _leave(client, tables, [HELD[0]] * COUNT)


async def _leave(client: lease.LeaseClient, tables: Tables, names: list[str]) -> None:
    waiters = [asyncio.create_task(client.acquire(name, wait=None)) for name in names]
    await until(lambda: tables.value(QUEUES) == len(set(names)))
    for one in waiters:
        one.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)


@pytest.mark.parametrize(
    "they",
    [_release, _hold, _fail, _are_refused, _time_out, _are_cancelled, _are_cancelled_in_line],
    ids=lambda they: they.__name__.strip("_"),
)
async def test_those_who_have_gone_leave_nothing_to_the_garbage_collector(
    database_url: str, tables: Tables, they: Callable[[lease.LeaseClient, Tables], Awaitable[None]]
) -> None:
    tables.grant(*HELD, holder="another", ttl=3600.0)
    async with lease.LeaseClient(database_url, timing=HASTY) as client:
        with no_circles():
            await they(client, tables)
            await until(lambda: _is_forgotten(client))


async def test_calls_that_ended_well_leave_nothing_to_be_put_right(database_url: str, tables: Tables) -> None:
    tables.one("held", ttl=3600.0)
    async with lease.LeaseClient(database_url, timing=HASTY) as client:
        async with client.hold("a"):
            pass
        await (await client.acquire("a")).release()
        leading = client.lead("a")
        await anext(leading)
        await leading.aclose()  # type: ignore[attr-defined]
        assert await client.try_acquire("held") is None
        assert await client.read("a") is not None
        assert _is_forgotten(client)
        assert not client._runtime.core._asking
    with lease.sync.LeaseClient(database_url, timing=HASTY) as other:
        with other.hold("a"):
            pass
        other.acquire("a").release()
        assert other.try_acquire("held") is None
        assert _is_forgotten(other)


def test_a_client_that_was_closed_is_kept_by_nobody(sqlite_url: str) -> None:
    with lease.sync.LeaseClient(sqlite_url) as client, client.hold("a"):
        kept = weakref.ref(client._runtime)
    del client
    gc.collect()
    assert kept() is None


def test_threads_that_are_refused_leave_nothing_to_the_garbage_collector(database_url: str, tables: Tables) -> None:
    tables.grant(*HELD, holder="another", ttl=3600.0)
    with lease.sync.LeaseClient(database_url, timing=HASTY) as client, no_circles():
        for name in HELD:
            assert client.try_acquire(name) is None
        wait_until(lambda: _is_forgotten(client), "the library's thread has looked for callers that have gone")


def test_the_tasks_of_threads_that_waited_in_vain_are_kept_by_nobody(sqlite_url: str) -> None:
    def tasks() -> int:
        gc.collect()
        return sum(isinstance(one, asyncio.Task) for one in gc.get_objects())

    with lease.sync.LeaseClient(sqlite_url, timing=HASTY) as client, client.hold("a"):
        before = tasks()
        for _ in range(COUNT):
            with pytest.raises(LeaseNotAcquired):
                client.acquire("a", wait="1ms")
        wait_until(lambda: tasks() < before + COUNT / 2, "they are collected")


@pytest.mark.parametrize("sees_to_it", ["_finish", "put_right"])
def test_releases_that_the_librarys_thread_cannot_do_leave_nothing_to_the_garbage_collector(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, sees_to_it: str
) -> None:
    """As where thousands are cut short, or overdue, while the database is away."""

    async def away(_: object) -> bool:
        raise StoreUnavailable("it is away")

    with lease.sync.LeaseClient(sqlite_url, timing=HASTY) as client:
        held = [client.acquire(name) for name in FREE]
        with monkeypatch.context() as patched, no_circles():
            patched.setattr(client._runtime.core, "release", away)
            for one in held:
                done = client._runtime.means.loop.submit(getattr(release_of(one), sees_to_it))
                wait_until(done.done, "it has failed")
                del done
        for one in held:
            one.release()
