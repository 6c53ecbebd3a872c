"""Calls that wait for one of a client's own connections: that is no attempt, and no sign of a database that is away (rule 3)."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import Connection, make_url, text

import lease
from lease import LeaseTiming, StoreUnavailable
from lease.database.database import Capacity
from lease.database_store import _CONNECTIONS, DatabaseStore
from lease.statements import granting
from lease.testing import ManualClock
from tests.lease.stores import Tables, opened, until
from tests.support.postgres import query
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

ATTEMPT = 1.0


def take_a_while(connection: Connection) -> None:
    """Take less than an attempt may."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_sleep(0.3)"))
    else:
        time.sleep(0.3)


async def test_a_call_may_wait_for_its_connection_for_longer_than_an_attempt_takes(database_url: str) -> None:
    async with opened(database_url, ATTEMPT) as database:
        answers = await asyncio.gather(*(database.read(take_a_while) for _ in range(6)), return_exceptions=True)
    assert answers == [None] * 6


def fail_after_a_while(connection: Connection) -> None:
    take_a_while(connection)
    connection.execute(text("SELECT CAST('no number' AS integer)"))


async def test_a_database_that_answers_with_errors_is_not_silent(postgres_url: str) -> None:
    async with opened(postgres_url, ATTEMPT) as database:
        answers = await asyncio.gather(*(database.read(fail_after_a_while) for _ in range(5)), return_exceptions=True)
    assert ["no number" in str(one) for one in answers] == [True] * 5


async def test_a_call_whose_connection_comes_free_as_the_database_is_closed_says_that_it_cannot_be_used(
    database_url: str,
) -> None:
    async with opened(database_url, ATTEMPT) as database:
        calls = [asyncio.ensure_future(database.read(take_a_while)) for _ in range(3)]
        await asyncio.sleep(0)  # the first has the connection
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [
        end for end in ends if end is not None and not isinstance(end, (StoreUnavailable, asyncio.CancelledError))
    ] == []
    assert not any("no answer" in str(end) for end in ends)  # nobody waits for a connection any longer


async def test_those_who_wait_are_told_once_the_database_has_been_silent_for_an_attempt(
    proxied_url: str, proxy: Proxy
) -> None:
    async with opened(proxied_url, ATTEMPT) as database:
        await database.read(lambda connection: connection.scalar(text("SELECT 1")))
        proxy.blackhole()
        calls = (database.read(lambda connection: connection.scalar(text("SELECT 1"))) for _ in range(200))
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20 * ATTEMPT)
        proxy.heal()
    assert {type(one) for one in answers} == {StoreUnavailable}
    assert "no answer within 1s" in str(answers[-1])


async def test_a_write_that_goes_first_is_done_before_those_that_came_earlier(database_url: str) -> None:
    order = list[str]()

    async def work(name: str) -> None:
        write = database.write_alone if name in "cD" else database.write
        await write(granting(name, "anna", 60.0), first=name.isupper())
        order.append(name)

    async with opened(database_url, ATTEMPT) as database:
        await asyncio.gather(*map(work, "abcDE"))
    assert order == ["a", "D", "E", "b", "c"]


async def test_who_is_cancelled_as_its_place_comes_gives_it_back() -> None:
    capacity = Capacity(1, LIMIT)
    await capacity.take()
    early, just_then, last = (asyncio.create_task(capacity.take()) for _ in range(3))
    await asyncio.sleep(0)
    early.cancel()
    await asyncio.sleep(0)
    capacity.give_back()
    just_then.cancel()
    await asyncio.wait_for(last, LIMIT)
    assert [early.cancelled(), just_then.cancelled()] == [True, True]


async def test_who_is_closed_while_it_waits_gets_no_place() -> None:
    """As a coroutine is whose event loop has ended, or that nobody keeps."""
    capacity = Capacity(1, LIMIT)
    await capacity.take()
    waiting = capacity.take()
    waiting.send(None)
    waiting.close()
    capacity.give_back()
    await asyncio.wait_for(capacity.take(), LIMIT / 2)


async def test_those_who_wait_do_so_while_the_database_answers_anybody_and_the_next_begin_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    clock = ManualClock(loop.time())
    monkeypatch.setattr(loop, "time", clock)
    database = Capacity(1, 1.0)
    capacity = Capacity(1, 1.0, database)
    await capacity.take()
    clock.advance(60)  # it has long been silent, as nobody asked

    async def waits(first: int) -> str | None:
        try:
            await capacity.take(first=first % 2 == 0)
        except TimeoutError as error:
            return str(error)
        return None

    async def after(seconds: float) -> int:
        """How many have been told by then."""
        clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
        return sum(task.done() for task in tasks)

    async def comes_back() -> str | None:
        await tasks[0]
        return await waits(0)

    tasks = [asyncio.create_task(waits(number)) for number in range(60)]
    tasks.append(asyncio.create_task(comes_back()))
    assert await after(0.9) == 0
    database.answered()
    assert await after(0.9) == 0
    capacity.answered()
    assert await after(0.9) == 0
    assert await after(0.2) == 60
    assert await after(0.9) == 60
    assert await after(0.2) == 61
    tasks.append(asyncio.create_task(waits(1)))
    await asyncio.sleep(0)
    assert await after(0.9) == 61
    assert await after(0.2) == 62
    assert {task.result() for task in tasks} == {"no answer within 1s"}
    capacity.give_back()
    await asyncio.wait_for(capacity.take(), LIMIT)


async def test_an_acquisition_waits_for_those_under_way_while_the_database_is_not_silent(database_url: str) -> None:
    store = DatabaseStore(database_url, LeaseTiming(attempt_timeout=0.2))
    async with AsyncExitStack() as places:
        for _ in range(_CONNECTIONS - 1):
            await places.enter_async_context(store.admitted())
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2s"):
            await places.enter_async_context(store.admitted())
    await store.close()


async def test_what_was_granted_after_a_long_wait_for_a_connection_is_trusted(database_url: str) -> None:
    """Trust counts from when it was asked for, not from when its turn to ask was waited for (rule 2)."""
    timing = LeaseTiming(15, renew_every=0.1, attempt_timeout=0.5, give_up=1.5, kill_time=0)
    async with lease.LeaseClient(database_url, timing=timing) as client:
        store = client._runtime.core.store
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as places:
            for _ in range(_CONNECTIONS - 1):
                await places.enter_async_context(store.admitted())
            acquiring = tasks.create_task(client.acquire("a"))
            await until(lambda: any(one.work is not None for one in list(client._runtime.core.acquiring)))
            end = time.monotonic() + timing.give_up
            while time.monotonic() < end:
                await client.read("a")  # the database is there
        assert acquiring.result().remaining() > 0


@pytest.fixture
def limited_url(postgres_url: str) -> Iterator[str]:
    """The test's database, for a role that may have one connection."""
    role = "of_one_connection"
    query(postgres_url, f"CREATE ROLE {role} LOGIN PASSWORD 'modest' CONNECTION LIMIT 1")
    query(postgres_url, f"GRANT SELECT, INSERT, UPDATE ON lease TO {role}")
    yield make_url(postgres_url).set(username=role, password="modest").render_as_string(hide_password=False)
    query(postgres_url, f"DROP OWNED BY {role}")
    query(postgres_url, f"DROP ROLE {role}")


async def test_nothing_is_granted_where_the_server_has_no_connection_left_to_renew_it(
    limited_url: str, postgres_url: str
) -> None:
    async with lease.LeaseClient(limited_url) as client:
        with pytest.raises(
            StoreUnavailable, match=r"too many connections for role .*; raise the limit .* two connections"
        ):
            await client.acquire("a")
    with Tables(postgres_url) as tables:  # the role has none left until the server has seen the end of ours
        assert tables.read("a") is None
