"""How a release of a sync client ends beside the library's thread, a signal and the end of a block (rules 3, 6 and 8)."""

import signal
from typing import Any

import pytest

from lease import LeaseError, LeaseLost, StoreUnavailable, events
from lease.core import Ticket
from lease.database.wires import WireFailed
from lease.grant_state import GrantState
from lease.sync import Lease, LeaseClient
from tests.lease.calls.callers import Blocked, beat, before_each_answer, pool_of
from tests.lease.stores import Recorder, Tables
from tests.support.acquiring import release_of
from tests.support.waiting import LIMIT, wait_until


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
