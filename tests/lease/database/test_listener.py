"""The listener for releases connects as all else does, and says where it cannot work."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import URL, func, make_url, select

from lease.database.address import Address
from lease.database.connections import route_to
from lease.database.listening.listener import Listener
from lease.database.listening.releases import ReleaseListener, Subscription
from lease.statements import CHANNEL, notify
from lease.waiters import Waiter
from tests.lease.database.subscribed import subscribed
from tests.lease.stores import Tables, until
from tests.support.postgres import query
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


async def works(address: Address) -> None:
    """Return once a listener of ``address`` works; TimeoutError if it does not."""
    listener = ReleaseListener(route_to(address), CHANNEL)
    with subscribed(listener, "a", "anna"):
        await listener.start(LIMIT)
        assert listener.is_working
    await listener.close()


async def begins(listener: ReleaseListener, *subscriptions: Subscription) -> None:
    """Return once it works, and those who wait have looked because of that."""
    await listener.start(LIMIT)
    for subscription in subscriptions:
        subscription.heard.clear()


async def hears(subscription: Subscription, tables: Tables) -> None:
    """Return once it hears of its turn."""
    subscription.heard.clear()
    tables.run(lambda connection: notify(connection, "a", (Waiter("anna", "anna", 0.0),)))
    await asyncio.wait_for(subscription.heard.wait(), LIMIT)


LISTENING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leased listener'"
)


@pytest.fixture
async def listener(postgres_url: str) -> AsyncIterator[ReleaseListener]:
    listener = ReleaseListener(route_to(postgres_url), CHANNEL)
    yield listener
    await listener.close()


@pytest.fixture
def url_with_a_hard_password(postgres_url: str) -> Iterator[URL]:
    role, password = f"role_{uuid4().hex[:8]}", "a b+c%20d@e/f:g'h\\i?j"
    query(postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD '{password.replace(chr(39), 2 * chr(39))}'")
    yield make_url(postgres_url).set(username=role, password=password)
    query(postgres_url, f"DROP ROLE {role}")


async def test_it_listens_whatever_is_in_the_password(url_with_a_hard_password: URL) -> None:
    await works(url_with_a_hard_password)


@pytest.mark.parametrize(
    "query",
    [
        {"prepare_threshold": "5"},
        {"options": "-csearch_path=public"},
        {"application_name": "shop"},
        {"host": ("127.0.0.1:1", "127.0.0.1:{port}")},
    ],
    ids=",".join,
)
async def test_it_listens_whatever_is_in_the_query(postgres_url: str, query: dict[str, Any]) -> None:
    url = make_url(postgres_url)
    if "host" in query:
        query = {"host": [host.format(port=url.port) for host in query["host"]]}
        url = url.set(host=None, port=None)
    await works(url.set(query=query))


@pytest.mark.parametrize("name", ["\N{BELL}check", "check"])
async def test_no_name_is_taken_for_its_notification_to_itself(
    listener: ReleaseListener, postgres_tables: Tables, name: str
) -> None:
    with subscribed(listener, name, "anna") as subscription:
        await begins(listener, subscription)
        postgres_tables.run(lambda connection: notify(connection, name, (Waiter("anna", "anna", 0.0),)))
        await asyncio.wait_for(subscription.heard.wait(), LIMIT)


async def test_of_those_who_wait_for_a_name_only_the_one_whose_turn_it_is_is_woken(
    postgres_url: str, postgres_tables: Tables
) -> None:
    listeners = [ReleaseListener(route_to(postgres_url), CHANNEL) for _ in range(3)]
    with (
        subscribed(listeners[0], "a", "cleo") as out_of_sight,
        subscribed(listeners[1], "a", "ben") as second,
        subscribed(listeners[2], "a", "anna") as first,
        subscribed(listeners[2], "b", "anna") as elsewhere,
    ):
        await begins(listeners[0], out_of_sight)
        await begins(listeners[1], second)
        await begins(listeners[2], first, elsewhere)
        waiting = tuple(Waiter(holder, holder, 0.0) for holder in ("anna", "ben"))
        postgres_tables.run(lambda connection: notify(connection, "a", waiting))
        await asyncio.wait_for(first.heard.wait(), LIMIT)
        assert not any(other.heard.is_set() for other in (second, out_of_sight, elsewhere))
        await asyncio.wait_for(second.heard.wait(), LIMIT)
        assert not out_of_sight.heard.is_set()
    for listener in listeners:
        await listener.close()


async def test_who_waits_from_before_it_listened_looks_once(listener: ReleaseListener) -> None:
    """Its place may be there by then, and its turn have come; nobody has heard of that."""
    with subscribed(listener, "a", "anna") as asking, subscribed(listener, "b", "anna") as waiting:
        await waiting(LIMIT, 0)
        assert listener.is_working
        assert asking.heard.is_set()
        assert not waiting.heard.is_set(), "it looks now"
        await asking(LIMIT, 0)
        assert not asking.heard.is_set()


@pytest.fixture(params=["no database", "swallowed", "silent"])
def deaf(
    request: pytest.FixtureRequest, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[ReleaseListener, int, str]:
    """A listener that does not work, how often it wakes who waits because of that, and what it says."""
    monkeypatch.setattr("lease.database.listening.listener._PAUSE", 0.2 if request.param == "swallowed" else 0.01)
    match request.param:
        case "no database":
            url = make_url(postgres_url).set(database="missing")
            return ReleaseListener(route_to(url), CHANNEL), 3, 'database "missing" does not exist'
        case "swallowed":  # as by a pooler in transaction mode: here nothing listens when the notification is sent
            return ReleaseListener(route_to(postgres_url), f"{CHANNEL}; UNLISTEN {CHANNEL}"), 0, "does not arrive"
        case _:
            monkeypatch.setattr("lease.database.listening.listener._CONNECT", 0.05)
            url = request.getfixturevalue("proxied_url")
            request.getfixturevalue("proxy").blackhole()
            return ReleaseListener(route_to(url), CHANNEL), 3, "no connection within 0.05s"


async def test_a_listener_that_does_not_work_says_so_once(
    deaf: tuple[ReleaseListener, int, str], caplog: pytest.LogCaptureFixture
) -> None:
    listener, times, says = deaf
    with caplog.at_level(logging.WARNING, "lease"), subscribed(listener, "a", "anna") as subscription:
        await listener.start(0.0)
        for _ in range(times):
            await asyncio.wait_for(subscription.heard.wait(), LIMIT)
            subscription.heard.clear()
        await until(lambda: caplog.messages)
    await listener.close()
    (said,) = caplog.messages
    assert says in said
    assert "poll once a second" in said
    assert "a-secret-of-the-tests" not in said


class Pooled:
    """A connection through a pooler in transaction mode: what its server says arrives as long as it has one."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        self._connection = connection
        self._listens: list[bytes] = []
        self.pgconn, self.info = connection.pgconn, connection.info

    async def execute(
        self, statement: LiteralString | bytes, values: Sequence[str] | None = None, *, prepare: bool | None = None
    ) -> "psycopg.AsyncCursor[Any]":
        for each in self._listens:
            await self._connection.execute(each)
        cursor = await self._connection.execute(statement, values, prepare=prepare)
        if isinstance(statement, bytes):
            self._listens.append(statement.partition(b";")[0])
        await self._connection.execute("UNLISTEN *")
        return cursor


async def test_a_pooler_that_lets_through_what_it_says_itself_is_not_taken_for_a_line(
    listener: ReleaseListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Listener._connect

    async def through_a_pooler(listener: Listener) -> Pooled:
        return Pooled(await connect(listener))

    monkeypatch.setattr(Listener, "_connect", through_a_pooler)
    said = asyncio.Event()
    monkeypatch.setattr(ReleaseListener, "_report", lambda *_: said.set())
    with subscribed(listener, "a", "anna"):
        await listener.start(0.0)
        await asyncio.wait_for(said.wait(), LIMIT)
        assert not listener.is_working


@pytest.mark.parametrize("payload", ["", "a", "7", "[]", '{"name": "a"}', '{"name": 7, "next": 7}', "[" * 7_000])
async def test_what_somebody_else_says_on_the_channel_is_passed_over(
    listener: ReleaseListener, postgres_tables: Tables, payload: str
) -> None:
    with subscribed(listener, "a", "anna") as subscription:
        await begins(listener, subscription)
        postgres_tables.run(lambda connection: connection.execute(select(func.pg_notify(CHANNEL, payload))))
        await hears(subscription, postgres_tables)


async def test_it_goes_on_for_a_while_when_the_last_has_left(
    listener: ReleaseListener, postgres_tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes turns waits again in a moment; until it listened again, it would hear of no turn."""
    monkeypatch.setattr("lease.database.listening.listener._PAUSE", 0.02)
    is_needed, looks = listener._is_needed, []

    def look() -> bool:
        looks.append(is_needed())
        return looks[-1]

    monkeypatch.setattr(listener, "_is_needed", look)
    with subscribed(listener, "a", "anna"):
        await listener.start(LIMIT)
    looks.clear()
    await until(lambda: looks)
    with subscribed(listener, "a", "anna") as subscription:
        assert listener.is_working
        await hears(subscription, postgres_tables)


async def test_it_ends_when_nobody_has_waited_for_long(
    listener: ReleaseListener, postgres_tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And costs no connection then."""
    monkeypatch.setattr("lease.database.listening.listener._PAUSE", 0.02)
    monkeypatch.setattr("lease.database.listening.releases._LINGER", 0.0)
    with subscribed(listener, "a", "anna"):
        await listener.start(LIMIT)
    await until(lambda: postgres_tables.value(LISTENING) == 0)
    with subscribed(listener, "a", "anna") as subscription:
        await listener.start(LIMIT)
        assert listener.is_working, "it begins anew"
        await hears(subscription, postgres_tables)


async def test_it_can_be_told_to_listen_over_another_connection(
    listener: ReleaseListener, postgres_tables: Tables
) -> None:
    with subscribed(listener, "a", "anna") as subscription:
        for _ in range(3):
            listener.begin_anew()
            assert not listener.is_working
            await begins(listener, subscription)
            await hears(subscription, postgres_tables)
        await until(lambda: postgres_tables.value(LISTENING) == 1)


async def test_who_was_next_is_so_no_more_once_another_has_taken_the_lease(listener: ReleaseListener) -> None:
    with subscribed(listener, "a", "anna") as subscription:
        for turns in (["ben", "anna"], ["cleo"]):
            subscription.told(turns)
        assert subscription._later is not None
        assert subscription._later.cancelled()
        assert not subscription.heard.is_set()


async def test_a_connection_that_is_made_as_the_listener_is_closed_is_closed_too(
    listener: ReleaseListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has taken it yet, at that very moment."""
    connect, made = listener._connect, list[Any]()

    async def connect_and_be_closed() -> Any:
        made.append(await connect())
        assert listener._task is not None
        asyncio.get_running_loop().call_soon(listener._task.cancel)
        return made[-1]

    monkeypatch.setattr(listener, "_connect", connect_and_be_closed)
    with subscribed(listener, "a", "anna"):
        await listener.start(0.0)
        await until(lambda: made)
    await listener.close()
    await until(lambda: made[0].closed)
