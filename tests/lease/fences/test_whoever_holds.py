"""One fence, by the kind of connection and whoever holds the lease; none that does nothing in silence. A `hold` inside the
transaction that it fences: its release waits for that, and must not be waited for (rule 11).
"""

import gc
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import lease
from lease import LeaseError, LeaseLost, LeaseTiming, StoreUnavailable, events
from lease.database.foreign import question_of
from tests.lease.fences import connections
from tests.lease.stores import HASTY, SELDOM, Recorder, Tables, until
from tests.support.postgres import plain
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

WRITE = "INSERT INTO written VALUES ('by a zombie')"


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[lease.LeaseClient]:
    async with lease.LeaseClient(database_url, timing=HASTY) as client:
        yield client


@pytest.fixture
def sync_client(database_url: str) -> Iterator[lease.sync.LeaseClient]:
    with lease.sync.LeaseClient(database_url, timing=HASTY) as client:
        yield client


@pytest.fixture
def written(tables: Tables) -> Tables:
    tables.run(lambda connection: connection.execute(text("CREATE TABLE written (what text)")))
    return tables


def rows(tables: Tables) -> int:
    return int(tables.value("SELECT count(*) FROM written"))


@contextmanager
def never_awaited() -> Iterator[None]:
    """Python's own warning about a coroutine that was dropped."""
    with pytest.warns(RuntimeWarning, match="was never awaited"):  # noqa: PT031 - the block is the test's
        yield
        gc.collect()


async def test_a_lease_of_the_async_client_fences_a_sync_connection_at_once(
    tables: Tables, client: lease.LeaseClient, engine: Engine
) -> None:
    held = await client.acquire("a")
    with engine.begin() as connection:
        held.fence(connection)
    with Session(engine) as session, session.begin():
        await held.fence(session)  # type: ignore[misc]  # done on return: awaiting it does no more
    tables.end_dead(held.grant)
    with engine.begin() as connection, pytest.raises(LeaseLost):
        held.fence(connection)


async def test_a_lease_of_the_sync_client_fences_an_async_connection(
    tables: Tables, sync_client: lease.sync.LeaseClient, async_engine: AsyncEngine
) -> None:
    held = sync_client.acquire("a")
    async with async_engine.begin() as connection:
        await held.fence(connection)
    async with AsyncSession(async_engine) as session, session.begin():
        await held.fence(session)
    tables.end_dead(held.grant)
    async with async_engine.begin() as connection:
        with pytest.raises(LeaseLost):
            await held.fence(connection)


def test_a_lease_stands_for_its_grant(tables: Tables, sync_client: lease.sync.LeaseClient, engine: Engine) -> None:
    held = sync_client.acquire("a")
    with engine.begin() as connection:
        lease.fence(connection, held)
        with pytest.raises(LeaseError, match="the bound of a fence is 0"):
            lease.fence(connection, held, bound=0)
    tables.end_dead(held.grant)
    with engine.begin() as connection, pytest.raises(LeaseLost):
        lease.fence(connection, held, bound="5s")


@pytest.mark.usefixtures("own_heap")
async def test_a_transaction_whose_fence_was_never_awaited_cannot_be_committed(
    written: Tables, sync_client: lease.sync.LeaseClient, async_engine: AsyncEngine
) -> None:
    held = sync_client.acquire("a")
    with never_awaited(), pytest.raises(LeaseError, match="never awaited"):  # noqa: PT012
        async with async_engine.begin() as connection:
            held.fence(connection)  # type: ignore[unused-coroutine]
            await connection.execute(text(WRITE))
    with never_awaited(), pytest.raises(LeaseError, match="never awaited"):  # noqa: PT012
        async with AsyncSession(async_engine) as session, session.begin():
            held.fence(session)  # type: ignore[unused-coroutine]
            await session.execute(text(WRITE))
    sessions = async_scoped_session(async_sessionmaker(async_engine), scopefunc=lambda: 1)
    with never_awaited(), pytest.raises(LeaseError, match="never awaited"):  # noqa: PT012
        async with sessions.begin():
            held.fence(sessions)  # type: ignore[unused-coroutine]
            await sessions.execute(text(WRITE))
    await sessions.remove()
    assert rows(written) == 0
    async with async_engine.begin() as connection:  # another transaction knows nothing of it
        await held.fence(connection)
        await connection.execute(text(WRITE))
    assert rows(written) == 1


@pytest.mark.usefixtures("own_heap")
async def test_a_connection_of_psycopg_whose_fence_was_never_awaited_is_closed(
    postgres_tables: Tables, postgres_url: str
) -> None:
    grant = postgres_tables.one("a")
    connection = await psycopg.AsyncConnection.connect(plain(postgres_url))
    with never_awaited():
        lease.fence(connection, grant)  # type: ignore[unused-coroutine]
        with pytest.raises(psycopg.OperationalError, match="closed"):
            await connection.execute("SELECT")


async def test_an_async_connection_that_is_not_connected_is_refused(
    sync_client: lease.sync.LeaseClient, async_engine: AsyncEngine
) -> None:
    held = sync_client.acquire("a")
    with pytest.raises(LeaseError, match="not connected yet"):
        held.fence(async_engine.connect())  # type: ignore[unused-coroutine]


def test_a_session_of_a_test_that_joins_a_transaction_by_a_savepoint_is_refused_with_the_remedy(
    tables: Tables, engine: Engine
) -> None:
    grant = tables.one("a")
    with engine.connect() as connection, connection.begin():
        session = Session(connection, join_transaction_mode="create_savepoint")
        with pytest.raises(LeaseError, match='use join_transaction_mode="rollback_only"'):
            lease.fence(session, grant)
    with (
        engine.connect() as connection,
        connection.begin(),
        Session(connection, join_transaction_mode="rollback_only") as session,
    ):
        lease.fence(session, grant)


def test_a_fence_in_a_pipeline_is_refused(postgres_tables: Tables, postgres_url: str) -> None:
    grant = postgres_tables.one("a")
    with psycopg.connect(plain(postgres_url)) as connection:
        with connection.pipeline(), pytest.raises(LeaseError, match="before the pipeline"):
            lease.fence(connection, grant)
        lease.fence(connection, grant)
        with connection.pipeline():
            connection.execute("SELECT")


async def test_a_fence_leaves_no_prepared_statement_on_a_connection_of_psycopg(
    postgres_tables: Tables, postgres_url: str
) -> None:
    """A pooler may run the next fence over another of its connections, which does not know the statement."""
    grant = postgres_tables.one("a")
    count = "SELECT count(*) FROM pg_prepared_statements"
    with psycopg.connect(plain(postgres_url), prepare_threshold=0) as connection:
        lease.fence(connection, grant)
        assert connection.execute(count, prepare=False).fetchone() == (0,)
    async with await psycopg.AsyncConnection.connect(plain(postgres_url), prepare_threshold=0) as asynchronous:
        await lease.fence(asynchronous, grant)
        assert await (await asynchronous.execute(count, prepare=False)).fetchone() == (0,)


def test_what_is_no_connection_is_refused(engine: Engine) -> None:
    grant = lease.Grant("a", 1, "anna")
    with pytest.raises(LeaseError, match=r"not sqlalchemy\.engine\.base\.Engine"):
        lease.fence(engine, grant)  # type: ignore[call-overload]
    with pytest.raises(LeaseError, match="not str"):
        lease.fence("a connection", grant)  # type: ignore[call-overload]
    with closing(sqlite3.connect(":memory:")) as driver, pytest.raises(LeaseError, match=r"not sqlite3\.Connection"):
        lease.fence(driver, grant)  # type: ignore[call-overload]


def test_a_driver_that_cannot_be_asked_is_refused() -> None:
    with pytest.raises(LeaseError, match="cannot tell whether a connection of builtins is in a transaction"):
        question_of(object())


IMPATIENT = LeaseTiming(ttl=60, renew_every=20, attempt_timeout=0.3)
"""What the database does not answer is given up soon."""


def test_a_released_lease_fences_nothing_though_the_database_did_not_hear_of_its_release(
    tables: Tables, database_url: str, engine: Engine
) -> None:
    with lease.sync.LeaseClient(database_url, timing=IMPATIENT) as client:
        held = patiently_acquired(client)
        with tables.transaction() as elsewhere:
            lease.statements.fence(elsewhere, held.grant)
            with pytest.raises(StoreUnavailable):
                held.release()
        released = rf"lease 'a' \(token {held.token}\) was released"
        with engine.begin() as connection, pytest.raises(LeaseLost, match=released):
            held.fence(connection)


def patiently_acquired(client: lease.sync.LeaseClient) -> lease.sync.Lease:
    """Acquire "a", also where a busy machine takes longer than the client is patient."""
    found: list[lease.sync.Lease] = []

    def is_acquired() -> bool:
        with suppress(StoreUnavailable):
            found.append(client.acquire("a", wait=LIMIT))
        return bool(found)

    wait_until(is_acquired, "it is acquired")
    return found[0]


AROUND = "is still open here, around its block"


def test_a_hold_inside_its_fenced_transaction_is_told_at_once_and_released_with_it(
    tables: Tables, engine: Engine, database_url: str
) -> None:
    """It used to wait for itself for as long as a release is tried."""
    told = Recorder()
    with lease.sync.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        with engine.begin() as connection:
            with client.hold("a") as held:
                held.fence(connection)
            assert AROUND in told.wait_for(events.ReleaseFailed).error
            assert told.of(events.Released) == []
        told.wait_for(events.Released)
        wait_until(lambda: tables.record("a").grant is None, "it is released when the transaction has ended")


async def test_an_async_hold_inside_its_fenced_session_is_told_at_once_and_released_with_it(
    tables: Tables, async_engine: AsyncEngine, database_url: str
) -> None:
    told = Recorder()
    async with lease.LeaseClient(database_url, timing=SELDOM, on_event=told) as client:
        async with AsyncSession(async_engine) as session, session.begin():
            async with client.hold("a") as held:
                await held.fence(session)
            await until(lambda: told.of(events.ReleaseFailed))
            assert AROUND in told.of(events.ReleaseFailed)[0].error
        await until(lambda: told.of(events.Released))
    assert tables.record("a").grant is None


@pytest.mark.parametrize("kind", connections.POSTGRESQL)
@pytest.mark.sampled(4)
async def test_a_release_inside_its_fenced_transaction_says_what_to_do(
    postgres_tables: Tables, postgres_url: str, kind: str
) -> None:
    with lease.sync.LeaseClient(postgres_url, timing=SELDOM) as client:
        held = client.acquire("a")
        async with connections.POSTGRESQL[kind](postgres_url, None) as caller:
            await connections.settled(held.fence(caller.connection))
            with pytest.raises(LeaseError, match="begin the transaction inside the block"):
                held.release()
            await caller.commit()
        wait_until(lambda: postgres_tables.record("a").grant is None, "it is released when the transaction has ended")


def test_a_lease_that_fences_many_transactions_remembers_only_those_that_can_still_be_open(
    postgres_url: str, postgres_engine: Engine
) -> None:
    with lease.sync.LeaseClient(postgres_url, timing=SELDOM) as client, client.hold("a") as held:
        for bound in ("10s", "20s", "30s"):
            with postgres_engine.connect() as connection:
                for _ in range(2):
                    with connection.begin():
                        held.fence(connection, bound=bound)
                        shown = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
                        assert shown == bound
        assert len(held._fenced) == 1


def test_a_transaction_that_was_not_fenced_holds_no_release_up(postgres_tables: Tables, postgres_url: str) -> None:
    """The next one on the same connection, say."""
    engine = create_engine(postgres_url, poolclass=NullPool)
    with lease.sync.LeaseClient(postgres_url, timing=SELDOM) as client, Session(engine) as session:
        held = client.acquire("a")
        held.fence(session)
        session.commit()
        session.connection()
        assert held.release()
    engine.dispose()
