"""What the owner of a database sets for all its sessions changes nothing for the library."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from lease import LeaseTiming, events
from lease.database_store import DatabaseStore
from lease.schema import lease as leases
from lease.sync import LeaseClient
from tests.lease.stores import STEADY, Recorder, Tables, until
from tests.support.databases import disconnect
from tests.support.postgres import query
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["German, DMY", "SQL, MDY", "Postgres, DMY", "ISO, DMY"])
def styled_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = postgres_url.rpartition("/")[2]
    query(postgres_url, f"ALTER DATABASE {name} SET DateStyle = {request.param}")
    query(postgres_url, f"ALTER DATABASE {name} SET TimeZone = 'America/St_Johns'")
    query(postgres_url, f"ALTER DATABASE {name} SET IntervalStyle = sql_standard")
    disconnect(postgres_url)
    yield postgres_url
    query(postgres_url, f"ALTER DATABASE {name} RESET ALL")
    disconnect(postgres_url)


def test_a_lease_is_granted_renewed_and_read_in_every_datestyle(styled_url: str, told: Recorder) -> None:
    with LeaseClient(styled_url, timing=STEADY, on_event=told) as client, client.hold("a") as held:
        told.wait_for(events.Renewed)
        record = client.read("a")
        assert record is not None
        assert record.granted_at is not None
        assert abs(datetime.now(UTC) - record.granted_at) < timedelta(minutes=1)
        with Tables(styled_url) as tables:
            tables.fence(held.grant)
        assert held.release()


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
async def test_a_statement_takes_a_row_as_it_is_after_a_wait_for_it_whatever_the_isolation_level(
    postgres_url: str, level: str
) -> None:
    """At the levels above READ COMMITTED, PostgreSQL refuses a row that changed meanwhile."""
    name = postgres_url.rpartition("/")[2]
    query(postgres_url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    disconnect(postgres_url)
    blocked = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock'"
    store = DatabaseStore(postgres_url, LeaseTiming(ttl=300.0, attempt_timeout=LIMIT / 2))
    try:
        with Tables(postgres_url) as tables:
            grant = tables.one("a")
            with tables.transaction() as connection:
                connection.execute(update(leases).values(label="renamed"))
                releasing = asyncio.ensure_future(store.release(grant))
                await until(lambda: tables.value(blocked))
            assert await releasing
    finally:
        await store.close()
