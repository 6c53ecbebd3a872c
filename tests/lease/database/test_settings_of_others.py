"""What the owner of a database sets for all its sessions changes nothing for the library."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import literal, select

from lease import events
from lease.database.dialects import Instant, now
from lease.sync import LeaseClient
from tests.lease.stores import STEADY, Recorder, Tables
from tests.support.postgres import query


@pytest.fixture(params=["German, DMY", "SQL, MDY", "Postgres, DMY", "ISO, DMY"])
def styled_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    name = postgres_url.rpartition("/")[2]
    query(postgres_url, f"ALTER DATABASE {name} SET DateStyle = {request.param}")
    query(postgres_url, f"ALTER DATABASE {name} SET TimeZone = 'America/St_Johns'")
    query(postgres_url, f"ALTER DATABASE {name} SET IntervalStyle = sql_standard")
    yield postgres_url
    query(postgres_url, f"ALTER DATABASE {name} RESET ALL")


def test_a_lease_is_granted_renewed_and_read_in_every_datestyle(styled_url: str) -> None:
    told = Recorder()
    with LeaseClient(styled_url, timing=STEADY, on_event=told) as client, client.hold("a") as held:
        told.wait_for(events.Renewed)
        record = client.read("a")
        assert record is not None
        assert record.granted_at is not None
        assert abs(datetime.now(UTC) - record.granted_at) < timedelta(minutes=1)
        with Tables(styled_url) as tables:
            tables.fence(held.grant)
            assert tables.release(held.grant)


def test_a_moment_comes_back_to_the_microsecond(tables: Tables) -> None:
    moment = datetime(2038, 1, 19, 3, 14, 7, 999_999, tzinfo=UTC)
    with tables.transaction() as connection:
        present = connection.scalar(select(now()))
        assert present is not None
        assert present.tzinfo is UTC
        assert connection.scalar(select(literal(moment, Instant()))) == moment
