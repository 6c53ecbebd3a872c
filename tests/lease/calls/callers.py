"""Clients whose callers acquire and release by themselves, and what a test puts in the midst of it."""

import threading
from collections.abc import Callable
from typing import Any

from lease import LeaseClient
from lease.database.held.statement import Call
from lease.sync import LeaseClient as SyncLeaseClient
from tests.support.waiting import LIMIT, wait_until

AnyClient = SyncLeaseClient | LeaseClient


def wire_of(client: AnyClient) -> Any:
    direct = client._runtime.means.direct
    return None if direct is None else direct.pool._wires.get(0)


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
