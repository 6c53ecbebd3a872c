"""A network that breaks, is silent, or loses answers, between a client and PostgreSQL (rules 2, 3, 6 and 9)."""

import asyncio
import gc
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

import lease
from lease import LeaseLost, LossKind, StoreUnavailable, events
from lease.clock import boottime
from lease.database.connections import route_to
from lease.database.held.line import Line
from lease.database.listening.releases import ReleaseListener
from lease.database.opening import open_database
from tests.lease.database.subscribed import subscribed
from tests.lease.stores import SHORT, Recorder, Tables, opened, until
from tests.support.proxy import Proxy
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

ATTEMPT = 0.4


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


async def a_failed_attempt(url: str) -> tuple[float, float]:
    """When it began and ended."""
    async with opened(url, ATTEMPT) as database:
        begun = boottime()
        with pytest.raises(StoreUnavailable, match="no answer within"):
            await database.read(lambda connection: connection.scalar(text("SELECT 1")))
        return begun, boottime()


async def test_an_attempt_over_a_silent_connection_ends_by_its_limit_and_by_no_cancel_request(
    proxied_url: str, proxy: Proxy, starvation: Starvation
) -> None:
    """Rule 3; then the next attempt goes over a new connection."""
    async with opened(proxied_url, ATTEMPT) as database:
        assert await database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
        proxy.blackhole()
        begun = boottime()
        with pytest.raises(StoreUnavailable, match="no answer within"):
            await database.read(lambda connection: connection.scalar(text("SELECT 2")))
        starvation.assert_within(ATTEMPT + 0.3, begun, boottime(), "the attempt")
        proxy.heal()
        assert await database.read(lambda connection: connection.scalar(text("SELECT 3"))) == 3
        assert proxy.cancels == 0
        assert proxy.connections == 2


async def test_the_connection_of_an_attempt_is_cut_unless_the_attempt_has_just_ended() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        line, loop = Line(), asyncio.get_running_loop()
        line.runs_over(ours)
        ended = asyncio.create_task(asyncio.sleep(0))
        await ended
        await line.cut(ended)
        assert line.is_cut
        ours.send(b"x")
        assert theirs.recv(1) == b"x"
        await asyncio.wait_for(line.cut(asyncio.create_task(loop.sock_recv(ours, 1))), LIMIT)
        assert theirs.recv(1) == b""


@pytest.mark.parametrize("messages", range(6))
async def test_a_network_that_falls_silent_while_a_connection_is_made_ends_by_the_limit(
    proxied_url: str, proxy: Proxy, messages: int, starvation: Starvation
) -> None:
    """Whatever step of connecting it hits; no cancel request, and the one connection is not used up by it."""
    proxy.silent_after = messages
    starvation.assert_within(ATTEMPT + 0.3, *await a_failed_attempt(proxied_url), "the attempt")
    assert proxy.cancels == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts open sockets in /proc")
async def test_a_connection_that_was_never_made_is_closed_without_the_garbage_collector(
    proxied_url: str, proxy: Proxy
) -> None:
    """Else the server waits a minute for its password, and can drop no database meanwhile."""
    gc.collect()
    gc.disable()
    try:
        before = open_sockets()
        for proxy.silent_after in (0, 1, 2, 4):
            await a_failed_attempt(proxied_url)
            listener = ReleaseListener(route_to(proxied_url), lease.statements.CHANNEL)
            connections = proxy.connections
            with subscribed(listener, "a", "anna"):
                await listener.start(0.0)
                await until(lambda: proxy.connections > connections)  # noqa: B023 - called in this turn
            await listener.close()
        await until(lambda: proxy.open == 0)
        # The proxy, in a thread of this process, closes its own ends last.
        await until(lambda: open_sockets() == before)
    finally:
        gc.enable()


@pytest.mark.parametrize("is_under_way", [True, False])
async def test_what_outlasts_the_closing_of_its_database_keeps_no_connection(
    proxied_url: str, proxy: Proxy, *, is_under_way: bool
) -> None:
    """A client that is closed waits for no notification of a release, say: it may still be on its way."""
    database = open_database(proxied_url, timeout=LIMIT, connections=2)
    await database.read(lambda connection: connection.scalar(text("SELECT 1")))
    begun = asyncio.Event()

    def ask(connection: Connection) -> None:
        begun.set()
        connection.execute(text("SELECT pg_sleep(0.1)"))

    asking = asyncio.ensure_future(database.read(ask))
    if is_under_way:
        await begun.wait()
    await database.close()
    await asking
    await until(lambda: proxy.open == 0)


def open_sockets() -> int:
    return sum(1 for entry in Path("/proc/self/fd").iterdir() if _target(entry).startswith("socket:"))


def _target(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except FileNotFoundError:
        return ""


@pytest.fixture
async def client(proxied_url: str, told: Recorder) -> AsyncIterator[lease.LeaseClient]:
    async with lease.LeaseClient(proxied_url, timing=SHORT, on_event=told) as client:
        yield client


async def heard(told: Recorder, kind: type[events.Event], number: int = 1) -> None:
    await until(lambda: len(told.of(kind)) >= number)


async def test_a_cut_shorter_than_the_tolerated_outage_loses_nothing(
    client: lease.LeaseClient, proxy: Proxy, told: Recorder, tables: Tables
) -> None:
    """Rule 3."""
    async with client.hold("a") as held:
        for cut in (proxy.cut, proxy.blackhole):
            renewals = len(told.of(events.Renewed))
            await heard(told, events.Renewed, renewals + 1)
            cut()
            await asyncio.sleep(SHORT.tolerated_outage * 0.6)
            proxy.heal()
            await heard(told, events.Renewed, renewals + 2)
        held.ensure()
    assert told.of(events.Lost) == []
    assert tables.record("a").token == 1


@pytest.mark.parametrize("fault", ["cut", "blackhole"])
async def test_a_holder_cut_off_stops_at_give_up_and_nobody_is_granted_before_the_ttl(
    client: lease.LeaseClient, proxy: Proxy, told: Recorder, tables: Tables, *, fault: str, starvation: Starvation
) -> None:
    stopped = 0.0
    with pytest.raises(LeaseLost) as lost:  # noqa: PT012
        async with client.hold("a") as held:
            await heard(told, events.Renewed)
            getattr(proxy, fault)()
            try:
                await asyncio.sleep(30)
            finally:
                stopped = boottime()
                granted_before = tables.grant("a", holder="ben")
    assert stopped > held.trusted_until - 0.5
    starvation.assert_within(0.5, held.trusted_until, stopped, "its block is cancelled")
    assert granted_before == []
    assert held.loss is not None
    assert held.loss.kind is LossKind.UNREACHABLE
    assert lost.value.cause is not None
    assert lost.value.cause.startswith("database unreachable for ")
    assert "a-secret-of-the-tests" not in lost.value.cause
    renewed = held.trusted_until - SHORT.give_up  # when the last confirmed renewal was sent
    await until(lambda: tables.grant("a", holder="ben"))
    assert tables.record("a").token == held.token + 1
    assert boottime() - renewed >= SHORT.ttl
    proxy.heal()


@pytest.mark.parametrize(("existing", "statement"), [(False, "COMMIT"), (True, "WITH free")])
async def test_a_grant_whose_reply_is_lost_is_given_up_and_granted_anew(
    client: lease.LeaseClient, proxy: Proxy, tables: Tables, *, existing: bool, statement: str
) -> None:
    """Rule 6: the retry is harmless, and knows that it was granted before."""
    if existing:
        tables.release(tables.one("a"))
    assert (await client.read("a") is not None) is existing  # connected
    proxy.swallow_answer_to(statement)
    acquiring = asyncio.ensure_future(client.try_acquire("a"))
    await until(lambda: (record := tables.read("a")) and record.holder)
    proxy.drop()
    proxy.heal()
    held = await asyncio.wait_for(acquiring, LIMIT)
    assert held is not None
    assert held.token == tables.record("a").token
    assert held.token >= (3 if existing else 2)


async def test_a_grant_that_the_client_never_heard_of_is_released_as_soon_as_the_network_is_back(
    client: lease.LeaseClient, proxy: Proxy, told: Recorder, tables: Tables
) -> None:
    """Rule 6: an orphan; nobody waits for its ttl."""
    assert await client.read("a") is None
    proxy.swallow_answer_to("COMMIT")
    with pytest.raises(StoreUnavailable):
        await client.try_acquire("a")
    assert tables.record("a").holder == client.holder
    proxy.drop()
    proxy.heal()
    await heard(told, events.OrphanReleased)
    assert tables.one("a", holder="ben").token >= 2


async def test_a_release_whose_reply_is_lost_is_harmless(
    client: lease.LeaseClient, proxy: Proxy, tables: Tables
) -> None:
    held = await client.acquire("a")
    proxy.swallow_answer_to("UPDATE")
    releasing = asyncio.ensure_future(held.release())
    await until(lambda: tables.record("a").holder is None)
    proxy.drop()
    proxy.heal()
    await asyncio.wait_for(releasing, LIMIT)
    assert held.loss is None
    assert tables.one("a", holder="ben").token == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace("a-secret-of-the-tests", "wrong"), "; check the user and the password in its URL"),
        (lambda url: url.rpartition("/")[0] + "/missing", 'database "missing" does not exist; create it'),
        (
            lambda url: re.sub(r"@[^/]+/", "@127.0.0.1:1/", url),
            "; start its server, or correct host and port in the URL",
        ),
    ],
)
def test_an_address_that_is_wrong_is_told_in_one_sentence(
    postgres_url: str, change: Callable[[str], str], says: str
) -> None:
    with (
        lease.sync.LeaseClient(change(postgres_url), timing=SHORT) as client,
        pytest.raises(StoreUnavailable, match=says) as refused,
    ):
        client.try_acquire("a")
    assert str(refused.value).startswith("the database postgresql://postgres:***@")
    assert "\n" not in str(refused.value)
    assert "a-secret-of-the-tests" not in str(refused.value)
    assert "wrong@" not in str(refused.value)


def test_a_role_without_rights_on_the_table_is_told_so_in_one_sentence(tables: Tables, postgres_url: str) -> None:
    name = "leased_role_without_rights"
    tables.run(lambda connection: connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'p4ssw0rd'")))
    try:
        url = postgres_url.replace("postgres:a-secret-of-the-tests@", f"{name}:p4ssw0rd@")
        with lease.sync.LeaseClient(url, timing=SHORT) as client:
            with pytest.raises(StoreUnavailable, match=f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}$"):
                client.read("a")
            with pytest.raises(StoreUnavailable, match="permission denied") as refused:
                client.try_acquire("a")
            assert "p4ssw0rd" not in str(refused.value)
            (remedy,) = re.findall("; let its owner grant this with (.*)", str(refused.value))
            assert remedy == f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
            tables.run(lambda connection: connection.execute(text(remedy)))
            held = client.acquire("a")
            held.release()
    finally:
        tables.run(lambda connection: connection.execute(text(f"DROP OWNED BY {name}")))
        tables.run(lambda connection: connection.execute(text(f"DROP ROLE {name}")))


def test_a_client_opens_without_the_database_and_acquires_when_it_is_back(
    proxied_url: str, proxy: Proxy, tables: Tables
) -> None:
    proxy.cut()
    with lease.sync.LeaseClient(proxied_url, timing=SHORT) as client:
        with pytest.raises(StoreUnavailable):
            client.try_acquire("a")
        proxy.heal()
        with client.hold("a", wait="10s") as held:
            assert held.token == 1
