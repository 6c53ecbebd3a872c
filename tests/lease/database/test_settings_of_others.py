"""What the owner of a database sets for all its sessions, or has chosen as its encoding, changes nothing for the library:
what a holder relies on outlasts a crash of the server, even if its commits may return before they are on disk.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import make_url, update

from daemon.store import migrations
from lease import LeaseError, LeaseNotAcquired, LeaseTiming, StoreUnavailable, events, statements
from lease.database_store import DatabaseStore
from lease.schema import lease as leases
from lease.sync import LeaseClient
from tests.lease.stores import SELDOM, STEADY, Recorder, Tables, in_thread, until
from tests.support.databases import Server, disconnect, drop_database, ensure_template, fresh_database
from tests.support.postgres import plain, query
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio


@contextmanager
def set_for_all(url: str, **settings: str) -> Iterator[None]:
    """Let all sessions of the database have these settings in the block, as its owner can."""
    name = make_url(url).database
    for setting, value in settings.items():
        query(url, f"ALTER DATABASE {name} SET {setting} = {value}")
    disconnect(url)
    try:
        yield
    finally:
        query(url, f"ALTER DATABASE {name} RESET ALL")
        disconnect(url)


@pytest.fixture(params=["German, DMY", "SQL, MDY", "Postgres, DMY", "ISO, DMY"])
def styled_url(postgres_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    styles = {"DateStyle": request.param, "TimeZone": "'America/St_Johns'", "IntervalStyle": "sql_standard"}
    with set_for_all(postgres_url, **styles):
        yield postgres_url


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
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    store = DatabaseStore(postgres_url, LeaseTiming(ttl=300.0, attempt_timeout=LIMIT / 2))
    with set_for_all(postgres_url, default_transaction_isolation=f"'{level}'"), Tables(postgres_url) as tables:
        grant = tables.one("a")
        with tables.transaction() as connection:
            connection.execute(update(leases).values(label="renamed"))
            releasing = asyncio.ensure_future(store.release(grant))
            await until(lambda: tables.value(blocked))
        assert await releasing
        await store.close()


@pytest.fixture(scope="module", params=["SQL_ASCII", "LATIN1"])
def url(postgres_server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"leased_test_{request.param.lower()}"
    query(
        postgres_server.url,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    url = postgres_server.url.rpartition("/")[0] + f"/{name}"
    try:
        migrations.upgrade(url)
        yield url
    finally:
        drop_database(postgres_server.url, name)


@pytest.mark.parametrize("name", ["a", "ä"])
def test_names_and_labels_come_back_as_they_were_given(url: str, name: str) -> None:
    with (
        LeaseClient(url, timing=SELDOM, label="ö") as client,
        LeaseClient(url, timing=SELDOM) as other,
        client.hold(name) as held,
    ):
        with pytest.raises(LeaseNotAcquired, match=f"lease '{name}' is held by ö"):
            other.acquire(name, wait=0.01)  # in the queue
        assert [record.label for record in client.list(name)] == ["ö"]
        with psycopg.connect(plain(url)) as connection:
            held.fence(connection)


def test_what_an_encoding_does_not_have_is_refused_with_a_sentence(url: str) -> None:
    """No reason to try again; and a database that stores bytes as they come takes it."""
    with LeaseClient(url, timing=SELDOM) as client:
        if "ascii" in url:
            client.acquire("→").release()
            return
        with pytest.raises(LeaseError, match='no equivalent in encoding "LATIN1"; use characters of') as refused:
            client.acquire("→", wait="5s")
        assert not isinstance(refused.value, StoreUnavailable)
        assert "\n" not in str(refused.value)


NOTE = """
CREATE TABLE noted (setting text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON lease DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (
    NEW.holder IS NOT NULL AND (NEW.holder, NEW.token, NEW.expires_at) IS DISTINCT FROM (OLD.holder, OLD.token, OLD.expires_at)
  ) EXECUTE FUNCTION note();
"""
"""Notes with which setting a grant, a renewal or a break is committed; a place in the queue may be lost."""


@pytest.fixture(scope="module")
def noting_url(postgres_server: Server) -> Iterator[str]:
    with fresh_database(postgres_server, ensure_template(postgres_server)) as url:
        query(url, NOTE)
        yield url


@pytest.fixture
def tables(noting_url: str) -> Iterator[Tables]:
    query(noting_url, "DELETE FROM lease")
    with Tables(noting_url) as tables:
        yield tables


def of_client(tables: Tables) -> None:
    with LeaseClient(tables.url, timing=SELDOM) as client:
        for _ in range(3):  # by the library's thread, then by the caller's own
            client.acquire("a").release()


def in_turn(tables: Tables) -> None:
    """Notified by the one before, who then lets go."""
    with LeaseClient(tables.url, timing=SELDOM) as first, LeaseClient(tables.url, timing=SELDOM) as second:
        held = first.acquire("a")
        with in_thread(lambda: second.acquire("a", wait="30s")) as waiting:
            wait_until(lambda: tables.record("a").waiting, "the second one waits")
            query(tables.url, "DELETE FROM noted")
            held.release()
            waiting().release()


def of_slots(tables: Tables) -> None:
    tables.run(lambda connection: statements.grant(connection, ["a", "a/2"], "anna", 60.0, slot_of="a"))


def of_renewal(tables: Tables) -> None:
    grant = tables.one("a")
    query(tables.url, "DELETE FROM noted")
    assert tables.renew() == {("a", grant.token)}
    tables.run(statements.renewing_unlocked("anna", 60.0))


def of_break(tables: Tables) -> None:
    grant = tables.one("a")
    query(tables.url, "DELETE FROM noted")
    assert tables.run(lambda connection: statements.break_grant(connection, grant, by="ben", reason="it hangs"))


ACTS = [of_client, in_turn, of_slots, of_renewal, of_break]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_what_a_holder_relies_on_is_committed_durably(tables: Tables, act: Callable[[Tables], None]) -> None:
    assert noted(tables, act, "off") == {"on"}


@pytest.mark.parametrize("chosen", ["local", "remote_write", "remote_apply"])
def test_a_choice_that_keeps_what_was_committed_is_left_alone(tables: Tables, chosen: str) -> None:
    assert noted(tables, of_client, chosen) == {chosen}


def noted(tables: Tables, act: Callable[[Tables], None], chosen: str) -> set[str]:
    """Return with which settings ``act`` is committed where the owner of the database has chosen one."""
    with set_for_all(tables.url, synchronous_commit=chosen):
        query(tables.url, "DELETE FROM noted")
        act(tables)
        return {setting for (setting,) in query(tables.url, "SELECT setting FROM noted")}
