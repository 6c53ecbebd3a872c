"""What a client asks of PostgreSQL, and over what: each call one statement, over a connection that is held. Through a real
pooler in transaction mode, clients take turns over its connections.
"""

import asyncio
import gc
import itertools
import re
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import Connection, Text, literal_column, select, text
from sqlalchemy.util import await_only

from lease import LeaseTiming, StoreUnavailable, statements
from lease.database.held.statement import Call, Compiled, Statement
from lease.database.opening import open_database
from lease.database_store import DatabaseStore
from lease.statements import records, renewals
from lease.sync import LeaseClient
from tests.lease.stores import Tables, opened
from tests.support.postgres import plain
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio

STATEMENTS = {
    renewals._RENEW: "renew",
    renewals._RENEW_UNLOCKED: "renew, passing over what is locked",
    records._READ: "read",
}
TIMING = LeaseTiming(ttl=60, attempt_timeout=5)


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


def asked(proxy: Proxy, begun: int) -> list[str]:
    """The first two words of what was asked since."""
    return [" ".join(statement.split()[:2]) for statement in proxy.statements[begun:]]


async def test_renewing_reading_and_releasing_are_one_statement_each(
    proxied_url: str, proxy: Proxy, tables: Tables
) -> None:
    store = DatabaseStore(proxied_url, TIMING)
    await store.renew("anna", 60.0, [])
    await store.read("a")
    connections = proxy.connections
    for _ in range(10):  # prepared on the way
        grant = tables.one("a")
        for call in (store.renew("anna", 60.0, [grant]), store.read("a"), store.release(grant)):
            begun = len(proxy.statements)
            await call
            assert len(asked(proxy, begun)) == 1, proxy.statements[begun:]
    assert proxy.connections == connections, "over the connections that there were"
    await store.close()


@pytest.mark.parametrize("pooling", [False, True], ids=["direct", "pooler"])
async def test_statements_are_prepared_on_a_connection_that_leads_to_the_server_itself_and_on_no_other(
    proxied_url: str, proxy: Proxy, tables: Tables, *, pooling: bool
) -> None:
    """A pooler would run them over any of its connections, where another client's may have the same name."""
    proxy.pooling = pooling
    store = DatabaseStore(proxied_url, TIMING)
    grant = tables.one("a")
    for _ in range(10):
        assert (await store.renew("anna", 60.0, [grant])).pairs == {("a", 1)}
        assert await store.read("a") is not None
    assert bool(proxy.prepared) is not pooling
    await store.close()


@pytest.mark.parametrize("statement", STATEMENTS, ids=STATEMENTS.get)
@pytest.mark.sampled(2)
def test_a_plan_for_any_parameters_goes_by_an_index(tables: Tables, statement: Statement) -> None:
    fill(tables)
    with tables.transaction() as connection:
        asked = statement.compiled(connection).text
    numbers = itertools.count(1)
    asked = re.sub(r"%\(\w+\)s", lambda _: f"${next(numbers)}", asked)
    with psycopg.connect(plain(tables.url)) as driver:
        plan = "\n".join(line for (line,) in driver.execute(f"EXPLAIN (GENERIC_PLAN) {asked}".encode(), prepare=False))
    assert "Seq Scan" not in plan, plan


async def test_a_plan_of_the_time_when_the_table_was_empty_ends_when_it_is_analyzed(
    proxied_url: str, proxy: Proxy, tables: Tables
) -> None:
    tables.run(lambda connection: connection.execute(text("TRUNCATE lease")))  # no page of an earlier test either
    tables.run(lambda connection: connection.execute(text("ANALYZE lease")))
    plan = "EXPLAIN SELECT * FROM lease WHERE name = 'a'"
    assert "Seq Scan" in tables.value(plan)
    store = DatabaseStore(proxied_url, TIMING)
    for _ in range(10):
        await store.read("a")
    assert proxy.prepared
    fill(tables)
    scans = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'lease'"

    def scanned(connection: Connection) -> int:
        before = connection.scalar(text(scans))
        statements.reading(["name-0001"])(connection)
        return int(connection.scalar(text(scans)) - before)

    assert await store._others.write(scanned) == 0
    await store.close()


def fill(tables: Tables) -> None:
    """Grant some thousands of leases, to some hundreds of holders."""
    for number in range(200):
        tables.grant(*(f"name-{number:04}-{lease}" for lease in range(20)), holder=f"holder {number}")
    tables.run(lambda connection: connection.execute(text("ANALYZE lease")))


async def test_a_write_that_raises_is_rolled_back_and_its_connection_is_held(
    proxied_url: str, proxy: Proxy, tables: Tables
) -> None:
    def fails(connection: Connection) -> None:
        connection.execute(text("INSERT INTO lease (name) VALUES ('a')"))
        raise KeyError("a mistake of the caller's")

    async with opened(proxied_url) as database:
        await database.read(lambda connection: connection.scalar(text("SELECT 1")))
        connections = proxy.connections
        for _ in range(3):
            with pytest.raises(KeyError):
                await database.write(fails)
        assert tables.read("a") is None
        assert await database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
        assert proxy.connections == connections


async def test_a_connection_that_the_database_refused_something_on_is_not_used_again(
    proxied_url: str, proxy: Proxy, tables: Tables
) -> None:
    """What was prepared over it may be what is wrong."""
    store = DatabaseStore(proxied_url, TIMING)
    for _ in range(10):
        await store.read("a")
    assert proxy.prepared
    tables.run(lambda connection: connection.execute(text("ALTER TABLE lease ALTER COLUMN label TYPE varchar(300)")))
    with pytest.raises(StoreUnavailable, match="cached plan"):
        await store.read("a")
    assert await store.read("a") is None
    await store.close()


@pytest.mark.usefixtures("passing_seconds", "own_heap")
def test_nothing_that_was_compiled_for_a_client_outlives_it(database_url: str) -> None:
    """A program may make a client for each of its requests."""

    def compiled_after_one_more() -> int:
        with LeaseClient(database_url, timing=TIMING) as client, client.hold("a"):
            pass
        gc.collect()
        return sum(isinstance(one, Compiled) for one in gc.get_objects())

    counts = [compiled_after_one_more() for _ in range(10)]
    assert counts[-1] <= counts[0] + 6, "the garbage of a few clients may be left, and no more with each"


NAMES = ("anna", "bert")


def asking(name: str) -> Call[str]:
    statement = Statement(select(literal_column(f"'{name}'", Text).label("name")))
    return Call(statement, {}, lambda rows: str(rows[0][0]))


def many_times(ask: Call[str], together: asyncio.Barrier) -> Callable[[Connection], set[str]]:
    """Return a transaction that asks often enough to prepare, and has a connection of the pooler's until others have."""

    def unit(connection: Connection) -> set[str]:
        answers = {ask(connection) for _ in range(10)}
        await_only(together.wait())
        return answers

    return unit


async def test_each_client_is_answered_what_it_asked(pooled_url: str) -> None:
    """Two clients of psycopg prepare under the same names: over a connection that had been the other's, one would
    be answered what the other asks, without an error.
    """
    clients = {name: open_database(pooled_url, timeout=LIMIT, connections=1) for name in NAMES}
    asks = {name: asking(name) for name in NAMES}
    together = asyncio.Barrier(len(NAMES))
    first = await asyncio.gather(*(clients[name].write(many_times(asks[name], together)) for name in NAMES))
    assert first == [{name} for name in NAMES]
    for _ in range(4):
        assert {name: await clients[name].read_alone(asks[name]) for name in NAMES} == {name: name for name in NAMES}
    for client in clients.values():
        await client.close()
