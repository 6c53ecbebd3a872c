"""Clients that are made of the wrong things or entered by the wrong door, and names that are not theirs: one sentence
each."""

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import ModuleType
from typing import Any

import pytest
import trio

import lease.sync
from lease import InvalidName, InvalidTiming, LeaseClient, LeaseError, LeaseTiming, events
from tests.lease.stores import SELDOM, Tables

pytestmark = pytest.mark.anyio


async def test_with_on_the_async_client_is_refused(sqlite_url: str) -> None:
    with (
        pytest.raises(LeaseError, match=r"enter it with `async with`, or use lease\.sync\.LeaseClient"),
        LeaseClient(sqlite_url),
    ):
        pass


async def test_async_with_on_the_sync_client_is_refused(sqlite_url: str) -> None:
    with pytest.raises(LeaseError, match=r"enter it with `with`, or use lease\.LeaseClient"):
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(lease.sync.LeaseClient(sqlite_url))


def test_trio_is_refused_and_shown_the_way(sqlite_url: str) -> None:
    async def asynchronous() -> None:
        async with LeaseClient(sqlite_url):
            pass

    def held() -> int:
        with lease.sync.LeaseClient(sqlite_url, timing=SELDOM) as client, client.hold("a") as held:
            return held.token

    with pytest.raises(LeaseError, match=r"needs a running asyncio event loop.*trio\.to_thread\.run_sync"):
        trio.run(asynchronous)
    assert trio.run(trio.to_thread.run_sync, held) == 1


async def test_a_client_that_was_never_opened_cannot_be_closed_and_says_so(sqlite_url: str) -> None:
    with pytest.raises(LeaseError, match="this client is not open: use it as"):
        lease.sync.LeaseClient(sqlite_url).__exit__()
    with pytest.raises(LeaseError, match="this client is not open: use it as"):
        await LeaseClient(sqlite_url).__aexit__()


CLIENTS = [LeaseClient, lease.sync.LeaseClient]


async def asynchronous(event: events.Event) -> None: ...


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("timing", ["30s", 30, 0, "", {"ttl": 30}])
def test_a_timing_that_is_none_is_refused_when_the_client_is_made(
    client: Callable[..., object], timing: object, sqlite_url: str
) -> None:
    with pytest.raises(
        InvalidTiming, match=r'^timing: .* is not a LeaseTiming; make one, as in .*LeaseTiming\("30s"\)$'
    ):
        client(sqlite_url, timing=timing)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("on_event", "why"), [(5, "cannot be called"), (None, "cannot be called"), (asynchronous, "is async, and nobody")]
)
def test_a_subscriber_that_cannot_be_called_is_refused_when_the_client_is_made(
    client: Callable[..., object], on_event: object, why: str, sqlite_url: str
) -> None:
    with pytest.raises(LeaseError, match=f"^on_event: .* {why}.*; give it a .*function"):
        client(sqlite_url, on_event=on_event)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "label", [5, b"anna", "", "  ", "two\nlines", "a\0b", "\x1b[31m", "\ud800", "x" * 256, "x" * 100_000]
)
def test_a_label_that_nobody_can_read_is_refused_when_the_client_is_made(
    client: Callable[..., object], label: object, sqlite_url: str
) -> None:
    with pytest.raises(
        LeaseError, match="label of a LeaseClient must be one line of 1 to 255 printable char"
    ) as refused:
        client(sqlite_url, label=label)
    assert len(str(refused.value).encode()) < 200


def test_the_longest_label_is_taken(tables: Tables) -> None:
    with lease.sync.LeaseClient(tables.url, timing=LeaseTiming("1h"), label="\N{SNOWMAN}" * 255) as client:
        assert client.acquire("a").release()


DOORS = [
    lambda client: client.try_acquire("run/shop/nightly"),
    lambda client: client.acquire("run/shop/nightly", wait=1),
    lambda client: client.hold("run/shop/nightly").__enter__(),
    lambda client: next(client.lead("run/shop/nightly")),
]


@pytest.mark.parametrize("door", DOORS)
def test_the_names_of_the_daemon_are_refused_to_others(tables: Tables, door: Any) -> None:
    with (
        lease.sync.LeaseClient(tables.url, timing=SELDOM) as client,
        pytest.raises(InvalidName, match="names that begin with 'run/' are reserved for the daemon"),
    ):
        door(client)
    assert tables.read("run/shop/nightly") is None


async def test_the_async_client_refuses_them_too_and_reads_them(tables: Tables) -> None:
    tables.one("run/shop/nightly")
    async with LeaseClient(tables.url, timing=SELDOM) as client:
        with pytest.raises(InvalidName, match="are reserved for the daemon"):
            async with client.hold("run/shop/nightly", wait=1):
                pass
        with pytest.raises(InvalidName, match="are reserved for the daemon"):
            async for _ in client.lead("run/shop/nightly"):
                pass
        record = await client.read("run/shop/nightly")
        assert record is not None
        assert record.holder == "anna"


@pytest.mark.parametrize("module", ["threading", "thread", "socket", "select"])
def test_a_client_is_refused_where_gevent_has_patched_threads(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkey = ModuleType("gevent.monkey")
    patched: set[str] = set()
    monkeypatch.setattr(monkey, "is_module_patched", patched.__contains__, raising=False)
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    with lease.sync.LeaseClient(sqlite_url):
        patched.add(module)
    with pytest.raises(LeaseError, match="gevent has patched this process"), lease.sync.LeaseClient(sqlite_url):
        pass
