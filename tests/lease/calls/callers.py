"""Clients whose callers acquire and release by themselves, and what a test puts in the midst of it."""

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lease import LeaseClient
from lease.calls.steps import WirePool
from lease.database.held.statement import Call
from lease.sync import LeaseClient as SyncLeaseClient
from tests.lease.stores import Tables
from tests.support.waiting import LIMIT, wait_until

AnyClient = SyncLeaseClient | LeaseClient


def pool_of(client: AnyClient) -> WirePool:
    direct = client._runtime.means.direct
    assert direct is not None
    return direct.pool


def wire_of(client: AnyClient) -> Any:
    return pool_of(client)._wires.get(0)


def warm(client: SyncLeaseClient) -> SyncLeaseClient:
    """Acquire and release until the client has its wire, and the lease its row: a wire that broke, or was taken from
    whoever was cut short, is made again by the next.
    """

    def has_after_one_more() -> bool:
        client.acquire("a").release()
        return wire_of(client) is not None

    wait_until(has_after_one_more, "the client has a wire")
    return client


async def warm_async(client: LeaseClient) -> LeaseClient:
    while wire_of(client) is None:
        await (await client.acquire("a")).release()
    return client


class Blocked:
    """The library's thread, blocked in this block: it answers nothing, and renews nothing."""

    def __init__(self, client: AnyClient) -> None:
        self._client = client
        self._over = threading.Event()
        self._was_awaited = False

    def __enter__(self) -> None:
        begun = threading.Event()

        def block() -> None:
            begun.set()
            self._was_awaited = not self._over.wait(LIMIT)

        self._client._runtime.means.loop.soon(block)
        assert begun.wait(LIMIT)

    def __exit__(self, *error: object) -> None:
        assert not self._was_awaited, "somebody waited for it"
        self._over.set()


def before_each_answer(client: SyncLeaseClient, step: Callable[[], None]) -> None:
    """Call ``step`` when the database has done what a caller asked, and before that caller knows."""
    wire = wire_of(client)
    send = wire.send_in_thread

    def send_and_step(call: Call[Any]) -> Any:
        answer = send(call)
        step()
        return answer

    wire.send_in_thread = send_and_step


def beat(client: SyncLeaseClient) -> None:
    """Renew once, in the library's thread, and wait until what comes of it is done."""
    heartbeat = client._runtime.core.heartbeat
    client._runtime.submit(lambda core: heartbeat._beat(core.clock())).result(LIMIT)
    wait_until(lambda: not heartbeat._orphans._under_way, "all orphans are released")


def left(client: AnyClient, tables: Tables) -> dict[str, object]:
    """Return what is left of callers who wanted "a" and have gone."""
    core, record = client._runtime.core, tables.record("a")
    found: dict[str, object] = {
        "held": core.heartbeat.held.all(),
        "in flight": core.heartbeat.flights.under_way.copy(),
        "under way": core.acquiring,
        "turns": core.turns._current,
        "waited for": core.turns._queues,
        "lent": pool_of(client)._borrowers,
        "holder": record.holder,
        "waiting": record.waiting,
    }
    return {what: one for what, one in found.items() if one}


def assert_nothing_is_left(client: AnyClient, tables: Tables) -> None:
    def is_empty() -> bool:
        if left(client, tables):
            gc.collect()  # asyncio keeps the error of a task, and so its frames, in a circle
        return not left(client, tables)

    try:
        wait_until(is_empty, "nothing is left")
    except AssertionError:
        raise AssertionError(f"left: {left(client, tables)}") from None


@contextmanager
def traced(trace: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    """Call ``trace`` for what this thread does in the block, as debuggers do."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def cut_at(
    step: int, by: type[BaseException], files: str | tuple[str, ...], counts: Callable[[FrameType, str], bool]
) -> Iterator[Callable[[], bool]]:
    """Raise ``by`` in this thread at this of the steps that count in ``files``, which are known by how their paths begin;
    what is given says whether there were so many.
    """
    left = [step]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if not frame.f_code.co_filename.startswith(files) or left[0] < 0:
            return None
        if counts(frame, event):
            left[0] -= 1
            if left[0] < 0:
                raise by
        return trace

    with traced(trace):
        yield lambda: left[0] < 0
