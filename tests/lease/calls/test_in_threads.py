"""What a sync client's callers do in their own threads, and what goes on beside it in the library's; how a release ends
beside the library's thread, a signal and the end of a block (rules 3, 6 and 8).
"""

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

from lease import LeaseError, LeaseLost, LeaseNotAcquired, LeaseTiming, StoreUnavailable, events
from lease.calls import steps
from lease.calls.acquiring import acquire, begin
from lease.calls.steps import take_in_thread
from lease.core import Ticket
from lease.database.wires import WireFailed
from lease.grant_state import GrantState
from lease.sync import Lease, LeaseClient
from lease.turns import LocalTurn
from tests.lease.calls.callers import Blocked, beat, before_each_answer, pool_of, warm, wire_of
from tests.lease.stores import SELDOM, SHORT, Recorder, Tables, in_thread
from tests.support.acquiring import release_of
from tests.support.proxy import Proxy
from tests.support.waiting import LIMIT, wait_until


def test_what_is_free_is_acquired_and_released_while_the_librarys_thread_is_busy(
    client: LeaseClient, tables: Tables
) -> None:
    with Blocked(client):
        held = client.acquire("a")
        held.ensure()
        assert tables.record("a").grant == held.grant
        assert held.release()
        assert tables.record("a").holder is None
        with client.hold("a") as held_again:
            assert held_again.token == held.token + 1
        assert not client._runtime.means.ledger.entries, "nothing is left to be put right"


def test_the_first_acquisition_takes_the_same_path_as_all_others(database_url: str, tables: Tables) -> None:
    """Connecting is all that the library's thread does for it."""
    tables.release(tables.one("a"))
    with LeaseClient(database_url, timing=SELDOM) as client:
        client._runtime.core.work_for = None  # type: ignore[assignment,method-assign]  # whoever calls it fails
        client.acquire("a").release()
        assert wire_of(client) is not None


def test_a_client_that_holds_has_one_connection_for_its_heartbeat_and_one_for_its_callers(
    postgres_url: str, postgres_tables: Tables
) -> None:
    postgres_tables.release(postgres_tables.one("a"))
    with LeaseClient(postgres_url, timing=SELDOM) as client, client.hold("a"):
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'leased%' AND datname = current_database()"
        assert postgres_tables.value(count) == 2


def test_a_wire_that_does_not_come_is_waited_for_as_long_as_one_attempt(database_url: str, tables: Tables) -> None:
    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    tables.release(tables.one("a"))
    with LeaseClient(database_url, timing=SHORT) as client:
        pool = pool_of(client)
        pool._connect = never
        with in_thread(lambda: client.acquire("a")) as acquired:
            assert acquired().release(), "by the library's thread"
        assert not pool._may_come, "nobody waits for another one soon"


@pytest.mark.usefixtures("passing_seconds")
def test_what_is_acquired_so_is_renewed_although_nothing_was_held_before(database_url: str, tables: Tables) -> None:
    with LeaseClient(database_url, timing=SHORT) as client:
        warm(client)
        heartbeat = client._runtime.core.heartbeat
        wait_until(heartbeat.rests, "the heartbeat rests")
        held = client.acquire("a")
        first = held.trusted_until
        wait_until(lambda: held.trusted_until > first + SHORT.give_up, "it is renewed")
        assert tables.record("a").grant == held.grant


def test_a_grant_that_its_caller_has_not_heard_of_is_no_orphan(client: LeaseClient, tables: Tables) -> None:
    """Rule 6: a renewal sees it before its caller does."""
    before_each_answer(client, lambda: beat(client))
    held = client.acquire("a")
    assert tables.record("a").grant == held.grant
    beat(client)
    assert tables.record("a").grant == held.grant
    held.ensure()


def test_a_grant_of_which_its_caller_has_taken_note_is_not_looked_for_where_it_is_put_right(
    client: LeaseClient, told: Recorder
) -> None:
    """As where a signal comes between that note and the next line."""
    means, ticket = client._runtime.means, Ticket("a")
    with begin(means, ticket) as caller:
        state = take_in_thread(acquire(means, ticket), caller, waits=True)
        means.core.heartbeat.held.remove(state)
        ticket.is_unanswered = True
        caller.hasten().result(LIMIT)
        caller.close()
    wait_until(lambda: events.Released(state.grant, True) in told.of(events.Released), "it was there to be released")


def test_what_the_database_has_under_this_client_is_asked_for_once_over_the_wire(
    client: LeaseClient, tables: Tables
) -> None:
    stray = tables.one("a", holder=client.holder)
    sent: list[None] = []
    before_each_answer(client, lambda: sent.append(None))
    held = client.acquire("a")
    assert len(sent) == 2, "it asked for it, and looked who has it"
    assert held.token == stray.token + 1


def test_who_gets_its_turn_as_its_wait_ends_takes_no_place_in_the_queue(
    client: LeaseClient, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, other = client._runtime.core, LocalTurn("a", "another thread")
    tables.one("a", holder="anna")
    assert core.turns.take_now(other)
    with in_thread(lambda: client.acquire("a", wait=LIMIT)) as acquired:
        wait_until(lambda: "a" in core.turns._queues, "it waits for its turn")
        clock = core.clock
        monkeypatch.setattr(core, "clock", lambda: clock() + LIMIT)
        monkeypatch.setattr(core.store, "waiting", None)  # whoever calls it fails
        core.turns.end(other)
        with pytest.raises(LeaseNotAcquired, match="is held by"):
            acquired()
    assert tables.record("a").waiting == ()


def test_a_renewal_beside_a_release_finds_no_loss(client: LeaseClient, told: Recorder) -> None:
    held = client.acquire("a")
    before_each_answer(client, lambda: beat(client))
    assert held.release()
    assert held.loss is None
    assert told.of(events.Lost) == []


@contextmanager
def closed_meanwhile(client: LeaseClient, has_come: Callable[[], object]) -> Iterator[None]:
    """Close ``client`` when the database has done what a caller asks in the block, and let that caller know once the
    closing ``has_come`` so far.
    """
    is_closing = threading.Event()

    def close() -> None:
        is_closing.wait(LIMIT)
        client.__exit__(None, None, None)

    def let_it_close() -> None:
        is_closing.set()
        wait_until(has_come, "the closing has come so far")

    before_each_answer(client, let_it_close)
    with in_thread(close) as closed:
        yield
        closed()


def test_one_that_is_closed_meanwhile_holds_nothing(database_url: str, tables: Tables) -> None:
    """Rule 6: the client is closed after the database has granted, and before the caller knows."""
    client = warm(LeaseClient(database_url, timing=SELDOM).__enter__())
    with closed_meanwhile(client, lambda: client._runtime.core.is_closed), pytest.raises(LeaseError, match="closed"):
        client.acquire("a")
    assert tables.record("a").holder is None


def test_a_release_that_is_answered_late_in_a_closing_is_no_work_that_goes_on(
    database_url: str, told: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_AFTER_THE_CUT", 0.01)
    timing = LeaseTiming(ttl=60, renew_every=20, attempt_timeout=0.3, kill_time=10)
    client = LeaseClient(database_url, timing=timing, on_event=told).__enter__()
    held = warm(client).acquire("a")
    with closed_meanwhile(client, lambda: client._runtime.core._closing._awaited):
        assert held.release()
    assert told.of(events.ReleaseFailed) == []


def test_one_that_is_closed_by_a_handler_in_the_midst_leaves_no_grant(database_url: str, tables: Tables) -> None:
    """As SIGTERM does: under the handler, the caller has what it acquires over, and cannot give that back."""
    client = warm(LeaseClient(database_url, timing=SHORT).__enter__())
    before_each_answer(client, lambda: client.__exit__(None, None, None))
    with pytest.raises(LeaseError, match="closed"):
        client.acquire("a")
    assert tables.record("a").holder is None


@pytest.mark.usefixtures("processes")
def test_a_signal_whose_handler_uses_the_client_finds_no_lock_in_its_way(client: LeaseClient, tables: Tables) -> None:
    """Rule 8: in the midst of anything, the handler waits for the library's thread."""
    chance, served = Random(3), list[int]()

    def handler(_number: int, _frame: FrameType | None) -> None:
        client.acquire(f"by the handler {len(served)}", wait=LIMIT).release()
        client.read("a")
        served.append(1)
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.003))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        while len(served) < 300:
            client.acquire("a").release()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert tables.record("a").holder is None


class TestNetwork:
    """On PostgreSQL, through a network that a test can silence."""

    @pytest.fixture
    def client(self, proxied_url: str) -> Iterator[LeaseClient]:
        with LeaseClient(proxied_url, timing=SHORT) as client:
            yield warm(client)

    def test_a_silent_one_ends_it_by_the_limit_of_an_attempt(self, client: LeaseClient, proxy: Proxy) -> None:
        """Rule 3."""
        proxy.blackhole()
        with pytest.raises(StoreUnavailable, match="no answer within"):
            client.acquire("a")
        proxy.heal()
        wait_until(lambda: client.try_acquire("a") is not None, "it is acquired again")
        assert proxy.cancels == 0

    def test_a_lost_answer_leaves_no_grant(self, client: LeaseClient, proxy: Proxy, postgres_tables: Tables) -> None:
        """Rule 6: what was granted without a word is found by the next attempt."""
        proxy.hold_answer(lambda transaction: transaction[-1].startswith("WITH free"))
        held = client.acquire("a")
        assert proxy.struck.is_set()
        assert postgres_tables.record("a").grant == held.grant

    def test_one_that_leads_to_a_server_that_is_read_only_now_is_replaced(
        self, client: LeaseClient, postgres_tables: Tables
    ) -> None:
        """As after a failover, where the server has become a standby."""
        first = wire_of(client)
        first._pgconn.exec_(b"SET default_transaction_read_only = on")
        client.acquire("a").release()
        assert wire_of(client) is not first
        assert postgres_tables.record("a").holder is None

    def test_a_pooler_that_answers_nothing_holds_up_no_closing(self, proxied_url: str, proxy: Proxy) -> None:
        """It takes the connection, and then has none of the server's to spare."""
        with LeaseClient(proxied_url, timing=SHORT) as client:
            warm(client)
            proxy.silent_after = 4
            pool = pool_of(client)
            wire_of(client).cut()
            for number in range(6):
                pool._rests_until = 0.0
                client.acquire("a").release()
                assert not pool._may_come, f"attempt {number} has failed"
            begun = time.monotonic()
        assert time.monotonic() - begun < SHORT.kill_time
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease-wire")]

    def test_one_that_broke_is_replaced(self, client: LeaseClient, proxy: Proxy) -> None:
        proxy.drop()
        wait_until(lambda: client.acquire("a").release(), "it works again")
        wait_until(lambda: client.acquire("a").release() and wire_of(client) is not None, "there is another one")


def test_a_file_that_another_one_took_the_place_of_is_let_go_of(sqlite_url: str) -> None:
    with LeaseClient(sqlite_url, timing=SELDOM) as client:
        first = wire_of(warm(client))
        path = Path(sqlite_url.removeprefix("sqlite:///"))
        shutil.copy(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)
        client.acquire("a").release()
        assert not client._runtime.core.heartbeat.in_doubt, "nothing was sent to the other one"
        wait_until(lambda: wire_of(client) is not first, "it is closed")
        warm(client)
        with Tables(sqlite_url) as tables:
            assert client.acquire("a").grant == tables.record("a").grant


class Unseen(dict[Any, Any]):
    def items(self) -> Any:
        return ()


def test_what_a_signal_interrupts_at_the_end_of_a_block_is_released_at_once(
    client: LeaseClient, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(client._runtime.means.ledger, "entries", Unseen())  # which is looked through now and then
    monkeypatch.setattr(Lease, "_end", interrupted)
    with pytest.raises(KeyboardInterrupt), client.hold("a"):
        pass
    wait_until(lambda: tables.record("a").holder is None, "it is released")


@pytest.mark.parametrize("when", ["before it is sent", "before its answer comes", "as its answer is lost"])
def test_a_release_for_which_the_librarys_thread_had_to_step_in_says_that_it_is_done(
    client: LeaseClient, told: Recorder, when: str
) -> None:
    """As where its caller is stopped in the midst of it for longer than an attempt takes (rule 8)."""
    release, answer = release_of(client.acquire("a")), None
    call = release.steps()
    step = call.send(None)
    if when == "before its answer comes":
        answer = step.in_thread()
    client._runtime.means.loop.submit(release._finish).result(LIMIT)
    if when == "before it is sent":
        answer = step.in_thread()
    with pytest.raises(StopIteration) as end:
        call.throw(WireFailed) if when == "as its answer is lost" else call.send(answer)
    assert end.value.value is True
    assert client.acquire("a").release(), "it has given its connection back"


def test_a_release_for_which_the_librarys_thread_stepped_in_in_vain_counts_by_its_own_answer(
    client: LeaseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, core = release_of(client.acquire("a")), client._runtime.core
    call = release.steps()
    answer = call.send(None).in_thread()

    async def release_in_vain(state: GrantState) -> None:
        core.forget(state)
        raise StoreUnavailable("it is away")

    with monkeypatch.context() as patched:
        patched.setattr(core, "release", release_in_vain)
        stepped_in = client._runtime.means.loop.submit(release._finish)
        assert isinstance(stepped_in.exception(LIMIT), StoreUnavailable)
    with pytest.raises(StopIteration) as end:
        call.send(answer)
    assert end.value.value is True


def test_the_release_of_what_is_lost_waits_for_no_connection(client: LeaseClient, tables: Tables) -> None:
    held, pool = client.acquire("a"), pool_of(client)
    tables.release(held.grant)
    beat(client)
    assert held.loss is not None
    pool.borrow = None  # type: ignore[assignment,method-assign]  # a call of it fails
    assert not held.release()


def test_the_release_of_what_is_lost_while_it_waits_for_a_connection_gives_that_back(
    client: LeaseClient, tables: Tables
) -> None:
    held, other, pool = client.acquire("a"), Ticket("b"), pool_of(client)
    pool._slots = range(1)
    other.owner = "another thread"
    pool._borrowers[0] = other
    call = release_of(held).steps()
    waiting = call.send(None)
    tables.release(held.grant)
    beat(client)
    assert held.loss is not None
    pool.give_back(other)
    elsewhere = call.send(waiting.in_thread())
    assert pool._borrowers == {}
    with pytest.raises(StopIteration) as end:
        call.send(elsewhere.in_thread())
    assert end.value.value is False


@pytest.mark.parametrize("error", [TimeoutError("alarm"), LeaseLost("another lease is lost")])
def test_an_error_of_a_handler_while_the_librarys_thread_releases_is_raised(
    client: LeaseClient, told: Recorder, tables: Tables, error: Exception
) -> None:
    """As an alarm that limits how long a program waits: it does not say that a transaction holds the release up."""
    held = client.acquire("a")
    pool_of(client)._is_over = True  # it is lent no connection

    def handler(*_: object) -> None:
        raise error

    def release_in_vain() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        held.release()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with Blocked(client):
            with pytest.raises(type(error), match=str(error)):
                release_in_vain()
            assert not client._runtime.means.ledger.entries, "it is put right once"
    finally:
        signal.signal(signal.SIGALRM, before)
    wait_until(lambda: tables.record("a").holder is None, "it is released")
    told.wait_for(events.Released, number=2)


def test_an_error_of_a_handler_at_the_end_of_a_block_is_raised_out_of_it(
    client: LeaseClient, told: Recorder, tables: Tables
) -> None:
    """Also one of lease, as where it has asked another lease whether it is lost: it is no refusal of this release."""

    def handler(*_: object) -> None:
        raise LeaseLost("another lease is lost")

    with pytest.raises(LeaseLost, match="another"), client.hold("a"):
        before_each_answer(client, handler)
    wait_until(lambda: tables.record("a").holder is None, "it is released")
    told.wait_for(events.Released, number=2)
    assert not told.of(events.ReleaseFailed)


def test_a_release_that_is_refused_a_wire_says_so(client: LeaseClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the library's thread ends while it waits for one."""
    held = client.acquire("a")
    pool = pool_of(client)

    async def refused(*_: object, **__: object) -> None:
        raise LeaseError("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(pool, "_lend", lambda _: None)
        patched.setattr(pool, "_wait", refused)
        with pytest.raises(LeaseError, match="no answer"):
            held.release()
    assert held.release()
