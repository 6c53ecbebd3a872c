"""A PostgreSQL server that is restarted, killed or paused under a client that holds leases."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
import pytest

from lease import LeaseError, events
from lease.sync import LeaseClient
from lease.timing import LeaseTiming
from tests.lease.calls.callers import warm
from tests.lease.stores import SELDOM, SHORT, Recorder, Tables
from tests.support.binaries import Binaries
from tests.support.databases import make_tables
from tests.support.postgres import PostgresServer, plain
from tests.support.waiting import LIMIT, wait_until

TIMING = LeaseTiming(ttl=9)
CRASHES = int(os.environ.get("LEASED_TEST_CRASHES", "2"))


@pytest.fixture(scope="module")
def server(postgres_programs: Binaries) -> Iterator[PostgresServer]:
    with PostgresServer(postgres_programs) as server:
        make_tables(server.url())
        yield server


def test_a_server_that_is_away_for_less_than_the_tolerated_outage_costs_no_lease(server: PostgresServer) -> None:
    told = Recorder()
    with LeaseClient(server.url(), timing=TIMING, on_event=told) as client, client.hold("a") as held:
        told.wait_for(events.Renewed)
        away = time.monotonic()
        server.kill9()
        server.start()
        away = time.monotonic() - away
        renewed = len(told.of(events.Renewed))
        if away > TIMING.tolerated_outage:
            pytest.skip(f"this machine took {away:.1f} s to restart the server")
        told.wait_for(events.Renewed, number=renewed + 1)
        held.ensure()
        assert held.token == 1
    assert told.of(events.Lost) == []


@pytest.fixture
def crashing(postgres_programs: Binaries) -> Iterator[PostgresServer]:
    """A server that loses in a crash what was committed in the last seconds and not waited for."""
    with PostgresServer(postgres_programs, config=["wal_writer_delay = '10s'"]) as server:
        make_tables(server.url())
        yield server


def test_a_release_that_was_answered_outlives_a_crash_of_the_server(crashing: PostgresServer) -> None:
    """And so does that of who was the first to wait for it, as the log is written in order."""
    with LeaseClient(crashing.url(), timing=SELDOM) as client, Tables(crashing.url()) as tables:
        held = warm(client).acquire("a")
        tables.queue("a", holder="one that was killed")
        assert held.release()
        crashing.kill9()
        crashing.start()
        assert tables.record("a").holder is None


@pytest.mark.extended
def test_a_crash_of_the_server_grants_no_token_twice(crashing: PostgresServer) -> None:
    """Although its owner lets commits return before they are on disk."""
    crashing.psql("CREATE TABLE written (what text)")
    crashing.psql("ALTER DATABASE postgres SET synchronous_commit = off")
    with LeaseClient(crashing.url(), timing=SELDOM) as client, Tables(crashing.url()) as tables:
        client.acquire("a").release()
        held = client.acquire("a")
        crashing.psql("INSERT INTO written VALUES ('lost')")
        crashing.restart("immediate")
        assert crashing.psql("SELECT * FROM written") == [], "the server has lost nothing: this shows nothing"
        assert tables.record("a").grant == held.grant


@pytest.mark.extended
def test_no_token_comes_twice_or_back_where_the_server_crashes_under_hand_overs(crashing: PostgresServer) -> None:
    """Rule 4. `make proof NAME=crashes` lets it crash ten times."""
    crashing.psql("ALTER DATABASE postgres SET synchronous_commit = off")
    tokens: list[int] = []
    done = threading.Event()

    def take_turns(client: LeaseClient) -> None:
        while not done.is_set():
            with suppress(LeaseError), client.hold("a", wait=1) as held:
                held.ensure()
                tokens.append(held.token)

    with ExitStack() as stack:
        clients = [stack.enter_context(LeaseClient(crashing.url(), timing=SHORT)) for _ in range(4)]
        callers = [threading.Thread(target=take_turns, args=(client,)) for client in clients for _ in range(4)]
        stack.callback(done.set)
        for caller in callers:
            caller.start()
        for _ in range(CRASHES):
            wait_for_turns(tokens, 100)
            crashing.kill9()
            crashing.start()
        wait_for_turns(tokens, 100)
        done.set()
        for caller in callers:
            caller.join()
    assert tokens == sorted(set(tokens))


def wait_for_turns(tokens: list[int], number: int) -> None:
    enough = len(tokens) + number
    wait_until(lambda: len(tokens) >= enough, "the lease is handed over again and again", limit=10 * LIMIT)


def fill_queue(connection: psycopg.Connection[Any]) -> None:
    while True:
        connection.execute("SELECT pg_notify('noise', repeat('x', 7000) || n) FROM generate_series(1, 10) AS n")


def test_where_no_notification_can_be_sent_a_lease_is_released_all_the_same(postgres_programs: Binaries) -> None:
    """The queue of notifications is one for all databases of a server."""
    config = ["max_notify_queue_pages = 64"]
    with PostgresServer(postgres_programs, config=config) as server, ExitStack() as stack:
        make_tables(server.url())
        idle, noisy = (stack.enter_context(psycopg.connect(plain(server.url("template1")))) for _ in range(2))
        idle.execute("LISTEN nothing")
        idle.commit()
        idle.execute("SELECT 1")
        noisy.autocommit = True
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            fill_queue(noisy)
        with LeaseClient(server.url(), timing=SELDOM) as client, Tables(server.url()) as tables:
            held = warm(client).acquire("a")
            tables.queue("a", holder="ben")
            assert held.release()
            assert tables.record("a").holder is None
