"""What a holder relies on outlasts a crash of the server, even if its commits may return before they are on disk."""

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url

from lease import statements
from lease.sync import LeaseClient
from tests.lease.stores import SELDOM, Tables, in_thread
from tests.support.binaries import Binaries
from tests.support.databases import Server, ensure_template, fresh_database, make_tables
from tests.support.postgres import PostgresServer, plain, query
from tests.support.waiting import wait_until

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
    name = make_url(tables.url).database
    query(tables.url, f"ALTER DATABASE {name} SET synchronous_commit = {chosen}")
    tables.engine.dispose()
    try:
        query(tables.url, "DELETE FROM noted")
        act(tables)
        return {setting for (setting,) in query(tables.url, "SELECT setting FROM noted")}
    finally:
        query(tables.url, f"ALTER DATABASE {name} RESET ALL")
        tables.engine.dispose()


@pytest.mark.extended
def test_a_crash_of_the_server_grants_no_token_twice(postgres_programs: Binaries) -> None:
    config = ["wal_writer_delay = 10s"]  # what does not wait for the disk is lost
    with PostgresServer(postgres_programs, config=config) as server:
        make_tables(server.url())
        query(server.url(), "CREATE TABLE written (what text)")
        query(server.url(), "ALTER DATABASE postgres SET synchronous_commit = off")
        with (
            closing(psycopg.connect(plain(server.url()), autocommit=True)) as other,
            LeaseClient(server.url(), timing=SELDOM) as client,
        ):
            client.acquire("a").release()
            held = client.acquire("a")
            other.execute("INSERT INTO written VALUES ('lost')")
            server.restart("immediate")
            assert query(server.url(), "SELECT * FROM written") == [], "the server has lost nothing: this shows nothing"
            record = client.read("a")
            assert record is not None
            assert record.grant == held.grant
