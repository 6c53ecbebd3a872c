"""Calls into a client from its own callbacks: those that would wait are refused, the others answer (rule 8)."""

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

import lease
import lease.sync
from lease import LeaseError, LeaseTiming, Loss, events
from lease.sync import Lease, LeaseClient
from tests.lease.stores import Recorder, Tables, in_thread, until
from tests.support.programs import ran
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("passing_seconds")]

OFTEN = LeaseTiming(ttl=20, renew_every=0.05)
"""Renewals come often, and nothing is lost for want of them on a busy machine."""

Call = Callable[[LeaseClient, Lease], object]

CALLS: dict[str, Call] = {
    "release": lambda _, held: held.release(),
    "read": lambda client, _: client.read("a"),
    "list": lambda client, _: client.list(),
    "acquire": lambda client, _: client.acquire("b"),
    "try_acquire": lambda client, _: client.try_acquire("b"),
    "hold": lambda client, _: client.hold("b").__enter__(),
    "close": lambda client, _: client.__exit__(),
    "open another": lambda client, _: LeaseClient("sqlite://").__enter__(),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]


def refused(call: Callable[[], object], said: list[str]) -> None:
    try:
        call()
    except LeaseError as error:
        said.append(str(error))
    else:
        said.append("nothing")


def test_a_call_that_would_wait_is_refused_in_on_lost_and_the_other_leases_are_renewed(
    database_url: str, tables: Tables, call: Call
) -> None:
    told, said = Recorder(), list[str]()
    with LeaseClient(database_url, timing=OFTEN, on_event=told) as client, client.hold("innocent") as innocent:
        held = client.acquire("a")
        held.on_lost(lambda _: refused(lambda: call(client, held), said))
        tables.end_dead(held.grant)
        wait_until(lambda: said, "it is called")
        renewals = len(told.of(events.Renewed))
        told.wait_for(events.Renewed, number=renewals + 2)
        innocent.ensure()
    assert "a callback (on_lost, watch or on_event) can't call a LeaseClient" in said[0]
    assert tables.record("innocent").holder is None, "and the client was closed as always"


@pytest.mark.parametrize("kind", [events.Granted, events.Renewed, None], ids=["on_event, at once", "on_event", "watch"])
def test_a_call_that_would_wait_is_refused_in_the_other_callbacks(
    database_url: str, kind: type[events.Event] | None
) -> None:
    said, here = list[str](), threading.current_thread()

    def listen(event: events.Event) -> None:
        if kind is not None and isinstance(event, kind) and not said:
            refused(lambda: client.read("a"), said)

    def watch(_: float) -> None:
        if kind is None and threading.current_thread() is not here:
            refused(held.release, said)

    client = LeaseClient(database_url, timing=OFTEN, on_event=listen)
    with client, client.hold("a") as held:
        held.watch(watch)
        wait_until(lambda: said, "it is called")
        held.ensure()
    assert "can't call a LeaseClient" in said[0]


async def test_a_subscriber_cannot_close_its_async_client(database_url: str) -> None:
    said = list[str]()

    def listen(_: events.Event) -> None:
        if not said:
            refused(lambda: asyncio.run(client.__aexit__()), said)

    client = lease.LeaseClient(database_url, timing=OFTEN, on_event=listen)
    async with client, client.hold("a"):
        await until(lambda: said)
    assert "can't call a LeaseClient" in said[0]


def test_what_does_not_wait_is_answered_in_a_callback(database_url: str, tables: Tables) -> None:
    answers: list[object] = []

    def ask(loss: Loss) -> None:
        answers.extend([loss.cause, held.remaining(), other.remaining() > 0])
        other.ensure()
        answers.append("trusted")

    with LeaseClient(database_url, timing=OFTEN) as client, client.hold("other") as other:
        held = client.acquire("a")
        held.on_lost(ask)
        tables.end_dead(held.grant)
        wait_until(lambda: len(answers) == 4, "it has asked")
    assert answers[1:] == [0.0, True, "trusted"]


def test_a_loss_that_is_told_in_the_callers_own_thread_may_be_answered_with_a_call(
    database_url: str, tables: Tables
) -> None:
    """`on_lost` calls at once where the lease is lost already."""
    with LeaseClient(database_url, timing=OFTEN) as client:
        held = client.acquire("a")
        tables.end_dead(held.grant)
        assert held.lost.wait(LIMIT)
        released: list[bool] = []
        with in_thread(lambda: held.on_lost(lambda _: released.append(held.release()))) as result:
            result()
        assert released == [False]


async def test_a_callback_of_the_async_client_begins_nothing_in_the_thread_of_the_heartbeat(
    database_url: str, tables: Tables
) -> None:
    begun: list[asyncio.Future[bool]] = []
    handed_over: list[bool] = []
    loop = asyncio.get_running_loop()

    async def hand_over() -> None:
        handed_over.append(await held.release())

    def lost(_: Loss) -> None:
        begun.append(asyncio.ensure_future(held.release()))
        asyncio.run_coroutine_threadsafe(hand_over(), loop)

    async with lease.LeaseClient(database_url, timing=OFTEN) as client:
        held = await client.acquire("a")
        held.on_lost(lost)
        tables.end_dead(held.grant)
        await until(lambda: begun and begun[0].done() and handed_over)
        assert isinstance(begun[0].exception(), LeaseError)
        assert handed_over == [False], "what is handed to the program's own loop is answered there"


def test_a_heartbeat_that_a_callback_cancels_loses_all_that_it_held_and_says_so(database_url: str) -> None:
    """Nobody would renew the innocent lease any more, or tell that it ran out."""
    told = Recorder()
    with LeaseClient(database_url, timing=OFTEN, on_event=told) as client:
        innocent = client.acquire("innocent")
        client.acquire("a").watch(_cancel_all)
        assert innocent.lost.wait(LIMIT)
        failed = told.wait_for(events.HeartbeatFailed)
        assert innocent.loss is not None
        assert "the heartbeat of this client has ended: CancelledError: its task was cancelled" in innocent.loss.cause
        assert failed.error == f"{innocent.loss.cause}; all its leases are lost, and it is closed"
        with pytest.raises(LeaseError, match=r"this client (is|was) closed"):
            client.acquire("b")


def _cancel_all(_: float) -> None:
    with suppress(RuntimeError):  # it is called in this test's thread first, where no loop runs
        for task in asyncio.all_tasks():
            task.cancel()


WITHOUT_DESCRIPTORS = """
import os, sys, threading
from lease import LeaseLost
from lease.sync import LeaseClient

threading.excepthook = lambda raised: print(raised.exc_type.__name__)
client = LeaseClient(sys.argv[1]).__enter__()
held = client.acquire("a")
os.closerange(3, 4096)
assert held.lost.wait(float(sys.argv[2]))
print(held.loss.cause)
"""


@pytest.mark.usefixtures("processes")
def test_a_heartbeat_whose_event_loop_breaks_loses_all_that_it_held(database_url: str) -> None:
    """As where a program that makes itself a daemon closes every file descriptor."""
    done = ran([sys.executable, "-c", WITHOUT_DESCRIPTORS, database_url, str(LIMIT)], limit=3 * LIMIT)
    assert "the heartbeat of this client has ended: OSError: [Errno 9] Bad file descriptor" in done.stdout, done.stderr


def test_a_callback_that_takes_long_delays_no_news_of_other_leases(database_url: str) -> None:
    """What a callback is called about, and all that came with it, is told before."""
    told, go_on, lost = Recorder(), threading.Event(), threading.Event()
    with LeaseClient(database_url, timing=OFTEN, on_event=told) as client:
        held = client.acquire("a")

        def wait_in_callback(_: Loss) -> None:
            lost.set()
            go_on.wait(LIMIT)

        held.on_lost(wait_in_callback)
        with in_thread(client.__exit__) as closed:
            assert lost.wait(LIMIT)
            told.wait_for(events.Lost)
            go_on.set()
            closed()
