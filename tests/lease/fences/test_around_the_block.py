"""A `hold` inside the transaction that it fences: its release waits for that, and must not be waited for."""

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import lease
from lease import LeaseError, events
from tests.lease.fences import connections
from tests.lease.stores import SELDOM, Recorder, Tables, until
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

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
