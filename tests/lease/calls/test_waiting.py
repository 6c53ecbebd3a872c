"""Waiting for a lease that another holds: woken by its release, and by itself when it goes stale. Waiters of one name are
served in the order in which they came, within a client and between clients.
"""

import asyncio
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import takewhile
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

import lease
from lease import Grant, LeaseNotAcquired, LeaseRecord, LeaseTiming, SchemaMissing, StoreUnavailable, statements
from lease.calls.acquiring import _Acquisition, refusal
from lease.clock import boottime
from lease.core import Core, Ticket
from lease.database.listening.releases import ReleaseListener
from lease.database.wires import WireFailed
from lease.database_store import DatabaseStore
from lease.sync import LeaseClient
from lease.testing import MemoryStore
from lease.waiters import LOOK, PATIENCE, parse_release
from tests.lease.calls.callers import before_each_answer, warm
from tests.lease.stores import HASTY, SELDOM, Tables, in_thread
from tests.support.databases import make_tables
from tests.support.postgres import plain
from tests.support.proxy import Proxy
from tests.support.starvation import Starvation
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

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
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
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


def waiting_for(tables: Tables, name: str) -> list[str]:
    return [waiter.label for waiter in tables.record(name).waiting]


def serve(client: LeaseClient, served: list[str], label: str) -> None:
    with client.hold("a", wait=LIMIT):
        served.append(label)


def test_clients_are_served_in_the_order_in_which_they_came(database_url: str, tables: Tables) -> None:
    served: list[str] = []
    labels = [f"client {number}" for number in range(6)]
    with ExitStack() as stack, ThreadPoolExecutor(len(labels)) as pool:
        held = stack.enter_context(LeaseClient(database_url, timing=SELDOM)).try_acquire("a")
        assert held is not None
        for number, label in enumerate(labels):
            client = stack.enter_context(LeaseClient(database_url, timing=SELDOM, label=label))
            pool.submit(serve, client, served, label)
            wait_until(lambda number=number: len(waiting_for(tables, "a")) > number, "it has its place")  # type: ignore[misc]
        assert waiting_for(tables, "a") == labels
        held.release()
        wait_until(lambda: len(served) == len(labels), "all are served")
    assert served == labels


async def test_tasks_of_one_client_take_turns_each_under_a_token_of_its_own(database_url: str) -> None:
    """They are served in order, and only the one whose turn it is asks the database."""
    tokens: list[tuple[int, int]] = []
    inside = 0

    async def work(number: int) -> None:
        nonlocal inside
        async with client.hold("a", wait=None) as held:
            inside += 1
            assert inside == 1
            tokens.append((number, held.token))
            await asyncio.sleep(0)
            inside -= 1

    async with lease.LeaseClient(database_url, timing=SELDOM) as client:
        await asyncio.gather(*(work(number) for number in range(20)))
    assert tokens == [(number, number + 1) for number in range(20)]


def test_who_did_not_wait_does_not_overtake_one_who_does_and_hears_its_name(database_url: str, tables: Tables) -> None:
    grant = tables.one("a", holder="anna")
    assert tables.queue("a", holder="ben's host") == []
    tables.release(grant)
    with LeaseClient(database_url, timing=SELDOM) as client:
        with pytest.raises(LeaseNotAcquired, match=r"'a' is free, but ben's host is ahead in the queue$"):
            client.acquire("a", wait=0)
        behind = refusal("a", tables.read("a"), "carl", waited=2.5)
        assert str(behind) == "lease 'a' is free, but ben's host is ahead in the queue (waited 2.5s)"
        assert (behind.name, behind.holder, behind.label, behind.waited) == ("a", "ben's host", "ben's host", 2.5)
        assert client.try_acquire("a") is None


def test_a_lease_that_has_become_free_meanwhile_is_named_as_held_by_nobody(tables: Tables) -> None:
    tables.release(tables.one("a", holder="anna"))
    refused = refusal("a", tables.read("a"), "ben", waited=2.5)
    assert str(refused) == "lease 'a' could not be acquired (waited 2.5s): it was busy every time"
    assert (refused.name, refused.holder, refused.waited) == ("a", None, 2.5)
    assert str(refusal("a", None, "ben", waited=2.5)) == str(refused), "nothing is known of it"


def test_a_holder_without_a_label_is_named_by_its_id(tables: Tables) -> None:
    tables.one("a", holder="anna")
    refused = refusal("a", tables.read("a"), "ben", waited=0.0)
    assert str(refused).startswith("lease 'a' is held by anna (holder anna, token 1) for ")


def test_waiters_that_do_not_take_are_passed_over_together(database_url: str, tables: Tables) -> None:
    """They were killed, say, or cut off: ten of them cost the next one hardly more than one does."""
    grant, other = tables.one("a", holder="anna"), tables.one("b", holder="anna")
    dead = [f"dead {number}" for number in range(10)]
    for one in dead:
        assert tables.queue("a", "b", holder=one) == []
    with LeaseClient(database_url, timing=HASTY, label="living") as client:
        with in_thread(lambda: client.acquire("a", wait=LIMIT)) as acquired:
            wait_until(lambda: waiting_for(tables, "a") == [*dead, "living"], "it has its place")
            released = time.monotonic()
            tables.release(other)
            assert client.try_acquire("b") is None
            tables.release(grant)
            held = acquired()
            waited = time.monotonic() - released
            assert client.try_acquire("b") is not None, "one that does not wait is not refused for longer than that"
        assert PATIENCE <= waited < 5 * PATIENCE
        assert held.token == 2
        assert waiting_for(tables, "a") == [], "who was passed over has no place any more"


@pytest.mark.parametrize("leaves", ["its wait is over", "its client is closed"])
def test_one_that_gives_up_leaves_the_queue_and_holds_up_nobody(leaves: str, database_url: str, tables: Tables) -> None:
    grant = tables.one("a", holder="anna")
    impatient = LeaseClient(database_url, timing=HASTY, label="impatient")
    with ThreadPoolExecutor(2) as pool, LeaseClient(database_url, timing=HASTY, label="patient") as patient:
        with impatient:
            gone = pool.submit(impatient.acquire, "a", wait=5.0 if leaves == "its wait is over" else LIMIT)
            wait_until(lambda: waiting_for(tables, "a") == ["impatient"], "it has its place")
            waits = pool.submit(patient.acquire, "a", wait=LIMIT)
            if leaves == "its wait is over":
                wait_until(gone.done, "it has given up")
        assert isinstance(gone.exception(), lease.LeaseError)
        wait_until(lambda: waiting_for(tables, "a") == ["patient"], "the other is first now")
        tables.release(grant)
        assert waits.result(LIMIT).token == 2


def test_a_greedy_client_goes_to_the_end_after_each_turn(database_url: str) -> None:
    """Whoever waits while another has its turn is the next."""
    turns: list[tuple[str, tuple[str, ...]]] = []
    both_are_there = threading.Barrier(2)

    def contended() -> int:
        return sum(1 for _, waiting in turns if waiting)

    def loop(label: str) -> None:
        with LeaseClient(database_url, timing=SELDOM, label=label) as client:
            both_are_there.wait(LIMIT)
            while contended() < 20:
                with client.hold("a", wait=LIMIT):
                    record = client.read("a")
                    assert record is not None
                    turns.append((label, tuple(waiter.label for waiter in record.waiting)))

    with in_thread(lambda: loop("greedy")) as one, in_thread(lambda: loop("other")) as two:
        one()
        two()
    for (_, waiting), (following, _) in itertools.pairwise(turns):
        assert not waiting or following == waiting[0], turns


def test_one_that_is_refused_at_once_is_told_of_no_wait(database_url: str) -> None:
    """By another client, by another thread of its own, or by itself."""
    with (
        LeaseClient(database_url, timing=SELDOM) as other,
        LeaseClient(database_url, timing=SELDOM) as client,
        client.hold("a"),
    ):
        with pytest.raises(LeaseNotAcquired) as by_a_client:
            other.acquire("a")
        with in_thread(lambda: client.acquire("a")) as acquired, pytest.raises(LeaseNotAcquired) as by_a_thread:
            acquired()
        with pytest.raises(LeaseNotAcquired) as by_itself:
            client.acquire("a", wait=None)
    for refused in (by_a_client.value, by_a_thread.value, by_itself.value):
        assert refused.waited == 0
        assert "waited" not in str(refused)


def test_a_wait_within_one_client_ends_in_time(database_url: str) -> None:
    with LeaseClient(database_url, timing=SELDOM, label="anna") as client, client.hold("a") as held:
        holder = client.holder
        with in_thread(lambda: client.try_acquire("a")) as refused:
            assert refused() is None
        with (
            in_thread(lambda: client.acquire("a", wait=0.05)) as late,
            pytest.raises(
                LeaseNotAcquired, match=r"waited .*another task or thread of this client holds it"
            ) as refused_late,
        ):
            late()
    told = refused_late.value
    assert (told.name, told.holder, told.label, told.token) == ("a", holder, "anna", held.token)
    assert told.waited == 0.05


def test_waiting_costs_next_to_nothing(postgres_tables: Tables, proxied_url: str, proxy: Proxy) -> None:
    """A waiter looks when the lease could have gone stale, and not more often: it takes its place and looks
    again when it listens, and at the end, before it leaves. Each look takes two statements.
    """
    postgres_tables.one("a", holder="anna", ttl=600)
    with LeaseClient(proxied_url, timing=SELDOM, label="ben") as client:
        client.acquire("b").release()  # its connections are set up
        asked = len(proxy.statements)
        with pytest.raises(LeaseNotAcquired):
            client.acquire("a", wait=4.0)
        assert len(proxy.statements) - asked <= 12


def test_who_waits_without_limit_asks_again_while_it_has_a_place_however_long_a_retry_is_put_off() -> None:
    core = Core(MemoryStore(), LeaseTiming(ttl=3600, retry_wait=300), clock=boottime, listener=lambda _: None)
    steps = _Acquisition(core, Ticket("a", wait=None)).steps()
    steps.send(None)
    rests = steps.send(StoreUnavailable("it is away"))
    assert rests.work.args == (LOOK,)
