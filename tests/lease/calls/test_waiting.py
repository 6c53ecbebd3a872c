"""Waiting for a lease that another holds: woken by its release, and by itself when it goes stale."""

import time
from itertools import takewhile
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from lease import Grant, LeaseRecord, LeaseTiming, SchemaMissing, statements
from lease.clock import boottime
from lease.database.listening.releases import ReleaseListener
from lease.database.wires import WireFailed
from lease.database_store import DatabaseStore
from lease.sync import LeaseClient
from lease.waiters import parse_release
from tests.lease.calls.callers import before_each_answer, warm
from tests.lease.stores import Tables, in_thread
from tests.support.databases import make_tables
from tests.support.postgres import plain
from tests.support.proxy import Proxy
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

LONG = LeaseTiming(ttl=60)


def token(client: LeaseClient, name: str, wait: float | None = 30.0) -> int:
    with client.hold(name, wait=wait) as held:
        return held.token


def is_awaited(tables: Tables, name: str) -> bool:
    record = tables.value("SELECT waiters IS NOT NULL FROM lease WHERE name = :name", name=name)
    return bool(record)


def test_a_waiter_is_woken_by_the_release(database_url: str, starvation: Starvation) -> None:
    with LeaseClient(database_url, timing=LONG) as holder, LeaseClient(database_url, timing=LONG) as waiter:
        held = holder.acquire("a")
        with in_thread(lambda: (token(waiter, "a"), boottime())) as acquired:
            if database_url.startswith("postgresql"):
                with Tables(database_url) as tables:
                    wait_until(lambda: is_awaited(tables, "a"), "the waiter has its place")
            released = boottime()
            held.release()
            got, at = acquired()
        assert got == 2
        starvation.assert_within(1.0, released, at, "it is granted")


def test_a_waiter_acquires_by_itself_when_the_lease_goes_stale(database_url: str, starvation: Starvation) -> None:
    with Tables(database_url) as tables, LeaseClient(database_url, timing=LONG) as waiter:
        tables.one("a", holder="ben", ttl=0.7)
        begun = boottime()
        assert token(waiter, "a") == 2
        starvation.assert_within(2.0, begun, boottime(), "it is granted")


def test_a_waiter_acquires_though_listening_does_not_work(
    postgres_url: str, postgres_tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a pooler in transaction mode, say: it costs delay, never correctness."""

    async def deaf(self: ReleaseListener) -> None:
        raise OSError("no listening here")

    monkeypatch.setattr(ReleaseListener, "_listen_once", deaf)
    with LeaseClient(postgres_url, timing=LONG) as waiter:
        grant = postgres_tables.one("a", holder="ben")
        with in_thread(lambda: token(waiter, "a")) as acquired:
            wait_until(lambda: is_awaited(postgres_tables, "a"), "the waiter has its place")
            postgres_tables.release(grant)
            assert acquired() == 2


def test_who_waited_where_the_tables_were_missing_can_try_again(empty_postgres_url: str) -> None:
    with LeaseClient(empty_postgres_url, timing=LONG) as client:
        with pytest.raises(SchemaMissing):
            token(client, "a")
        make_tables(empty_postgres_url)
        assert token(client, "a") == 1


def turns_told(listener: psycopg.Connection[Any]) -> list[tuple[str, list[str]]]:
    """Return what was said until now of names and turns; the listeners of clients say other things too."""
    listener.execute("SELECT pg_notify(%s, 'until now')", (statements.CHANNEL,))
    said = takewhile(lambda one: one.payload != "until now", listener.notifies(timeout=LIMIT))
    return [parse_release(one.payload) for one in said if parse_release(one.payload)[0]]


def test_a_notification_goes_out_only_where_somebody_waits(postgres_url: str, postgres_tables: Tables) -> None:
    """Rule 15."""
    with (
        psycopg.connect(plain(postgres_url), autocommit=True) as listener,
        LeaseClient(postgres_url, timing=LONG) as client,
        LeaseClient(postgres_url, timing=LONG) as waiter,
    ):
        listener.execute(f"LISTEN {statements.CHANNEL}".encode())
        with client.hold("a"):
            pass
        held = client.acquire("a")
        with in_thread(lambda: token(waiter, "a")) as acquired:
            wait_until(lambda: is_awaited(postgres_tables, "a"), "the waiter has its place")
            held.release()
            assert acquired() == 3
        assert turns_told(listener) == [("a", [waiter._runtime.core.holder])]


def test_a_waiter_is_woken_by_a_release_whose_answer_is_lost(
    postgres_url: str, postgres_tables: Tables, starvation: Starvation
) -> None:
    """Nobody has heard who waits; the library's thread, which releases once more, finds nothing to release."""

    def lose() -> None:
        raise WireFailed

    with LeaseClient(postgres_url, timing=LONG) as client, LeaseClient(postgres_url, timing=LONG) as waiter:
        held = warm(client).acquire("a")
        with in_thread(lambda: (token(waiter, "a"), boottime())) as acquired:
            wait_until(lambda: hears(waiter), "the waiter waits for its turn")
            before_each_answer(client, lose)
            released = boottime()
            held.release()
            _, at = acquired()
        starvation.assert_within(2.0, released, at, "it is granted")


def hears(client: LeaseClient) -> bool:
    """Return whether somebody just waits to hear of a turn, and asks nothing."""
    heard: list[Any] = [ticket.turn_heard for ticket in list(client._runtime.core.acquiring)]
    return any(one is not None and one.heard._waiters for one in heard)


def test_a_waiter_that_got_no_place_looks_again_by_itself(postgres_url: str, postgres_tables: Tables) -> None:
    """The row is locked (by a renewal, say) at just that moment; without looking again it would wait for the whole ttl."""
    grant = postgres_tables.one("a", holder="ben")
    with LeaseClient(postgres_url, timing=LONG) as waiter, postgres_tables.engine.connect() as other:
        transaction = other.begin()
        other.execute(text("SELECT FROM lease WHERE name = 'a' FOR UPDATE"))
        with in_thread(lambda: token(waiter, "a")) as acquired:
            blocked = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'leased' AND wait_event_type = 'Lock'"
            )
            wait_until(lambda: postgres_tables.value(blocked), "the waiter finds the row locked")
            statements.release(other, grant)
            transaction.commit()
            assert acquired() == 2


def test_waiting_for_a_stale_lease_that_is_fenced_is_no_busy_loop(
    proxied_url: str, proxy: Proxy, postgres_tables: Tables
) -> None:
    """A zombie's open fenced transaction may hold it off for as long as its bound."""
    grant = postgres_tables.one("a", holder="zombie")
    postgres_tables.make_stale("a")
    with LeaseClient(proxied_url, timing=LONG) as waiter, postgres_tables.engine.connect() as fenced:
        transaction = fenced.begin()
        statements.fence(fenced, grant)
        with in_thread(lambda: token(waiter, "a")) as acquired:
            wait_until(lambda: len(proxy.statements) > 90, "the waiter has asked, and asks less and less often")
            begun, asked = time.monotonic(), len(proxy.statements)
            while time.monotonic() - begun < 1.0:
                time.sleep(0.05)
            assert len(proxy.statements) - asked < 40 * (time.monotonic() - begun)
            transaction.commit()
            assert acquired() == 2


def test_those_behind_a_dead_waiter_write_nothing_until_it_is_their_turn(
    sqlite_url: str, passing_seconds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite is looked at all the while, and a place in the queue is a write."""
    asked: list[str] = []
    grant = DatabaseStore.grant

    async def noted(self: DatabaseStore, name: str, *given: Any, **options: Any) -> Grant | LeaseRecord | None:
        asked.append(name)
        return await grant(self, name, *given, **options)

    monkeypatch.setattr(DatabaseStore, "grant", noted)
    with Tables(sqlite_url) as tables, LeaseClient(sqlite_url, timing=LONG) as waiter:
        held = tables.one("a", holder="ben")
        tables.queue("a", holder="dead")
        with in_thread(lambda: token(waiter, "a")) as acquired:
            wait_until(lambda: asked, "the waiter has asked")
            tables.release(held)
            assert acquired() == 2
    assert len(asked) <= 4
