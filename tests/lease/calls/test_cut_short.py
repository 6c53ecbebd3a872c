"""Callers that are cut short between any two steps, or at any line: the library's thread puts right what they had begun.

A call is a generator of steps, so that it can be cut between two of them without a signal or a race.
"""

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import lease
from lease import cancellation, ledger
from lease.calls.acquiring import acquire, begin
from lease.calls.steps import Elsewhere, Steps
from lease.core import Ticket
from lease.errors import LeaseError
from lease.ledger import Caller
from lease.sync import LeaseClient
from lease.testing import MemoryStore
from tests.lease.calls.callers import assert_nothing_is_left, cut_at, pool_of, traced, warm
from tests.lease.stores import SELDOM, Tables, in_thread
from tests.support.acquiring import release_of
from tests.support.waiting import LIMIT, wait_until

ROOM = f"{Path(lease.__file__).parent}/"
MOST_STEPS = 6
MOST_LINES = 5_000
STRIDE = int(os.environ.get("LEASED_TEST_STRIDE", "37"))
"""A call is cut at each so many lines; `make proof NAME=cuts` cuts at every one."""
OFTEN = 3
WAYS = ("raise", "close", "vanish")


# What is raised in a finalizer cannot arrive.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("own_heap"),
    pytest.mark.filterwarnings("ignore:(?s)Exception ignored.*CutError:pytest.PytestUnraisableExceptionWarning"),
]


class CutError(KeyboardInterrupt):
    """As the handler of a signal raises it; an event loop lets it through."""


class StoppedError(LeaseError):
    """As a handler raises it that asks a lease whether it is lost."""


class LateError(TimeoutError):
    """As an alarm raises it that limits how long a program waits."""


BY = [CutError, StoppedError, LateError]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's thread looks for callers that have gone more often than every half a second."""
    monkeypatch.setattr(ledger, "_LOOK", 0.02)


def take_and_cut(steps: Steps[Any], number: int, how: str, *, answered: bool) -> bool:
    """Take so many steps, and cut the next one before it is taken, or when it is ``answered``; False if the call has
    ended before.
    """
    answer = None
    try:
        for _ in range(number):
            answer = steps.send(answer).in_thread()
        step = steps.send(answer)
    except StopIteration:
        return False
    if answered:
        step.in_thread()
    match how:
        case "raise":
            with suppress(CutError):
                steps.throw(CutError)
        case "close":
            steps.close()
        case _:
            pass
    return True


def leave(caller: Caller, how: str) -> None:
    """Leave the caller's block by an error; who has vanished leaves none."""
    if how != "vanish":
        caller.__exit__()


async def test_an_acquisition_that_was_cut_short_or_closed_on_its_way_does_not_begin() -> None:
    begun = list[str]()

    async def work() -> None:
        begun.append("it")

    cut, late = Ticket("a"), Ticket("b")
    async with lease.LeaseClient(store=MemoryStore(), timing=SELDOM) as client:
        core = client._runtime.core
        await asyncio.wrap_future(client._runtime.submit(lambda core: core.abandon(cut)))
        assert not core.begin(cut)
        with pytest.raises(LeaseError, match="was closed while it acquired lease 'a'"):
            await core.work_for(cut, work)
    with pytest.raises(LeaseError, match="this client is closed"):
        await core.work_for(late, work)
    assert not core.begin(late)
    assert not begun


def test_however_many_calls_begin_they_are_looked_through_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = list[bool]()

    async def put_right() -> None: ...

    def look() -> None:
        looks.append(True)
        whole()

    with LeaseClient(store=MemoryStore()) as client:
        calls = client._runtime.means.ledger
        whole = calls._look
        monkeypatch.setattr(calls, "_look", look)
        monkeypatch.setattr(ledger, "_LOOK", 60.0)
        begun = [calls.open(put_right) for _ in range(100)]
        client.read("a")
        assert looks == [True]
        for one in begun:
            one.close()


@pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning")
@pytest.mark.parametrize("why", ["it left", "its loop was closed", "its loop is gone"])
def test_a_caller_that_somebody_keeps_is_put_right_all_the_same(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    done = threading.Event()

    async def put_right() -> None:
        done.set()

    monkeypatch.setattr(ledger, "_LOOK", 0.01)
    with LeaseClient(store=MemoryStore()) as client:
        calls, loop = client._runtime.means.ledger, asyncio.new_event_loop()
        kept = calls.open(put_right, loop)
        assert not calls.entries[kept.reference].is_forsaken
        if why == "it left":
            kept.__exit__()
        elif why == "its loop was closed":
            loop.close()
        else:
            del loop
            gc.collect()
        assert done.wait(LIMIT)
        assert not calls.entries
    with pytest.raises(LeaseError, match="this client is closed"):
        calls.open(put_right)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("answered", [False, True])
def test_an_acquisition_that_is_cut_between_two_steps_leaves_nothing(
    client: LeaseClient, tables: Tables, how: str, *, answered: bool
) -> None:
    for number in range(MOST_STEPS):
        ticket = Ticket("a")
        caller = begin(client._runtime.means, ticket)
        steps = acquire(client._runtime.means, ticket)
        was_cut = take_and_cut(steps, number, how, answered=answered)
        leave(caller, how)
        del caller, steps, ticket
        assert_nothing_is_left(client, tables)
        if not was_cut:
            return
        warm(client)
    raise AssertionError("there was no end of steps")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("answered", [False, True])
def test_a_release_that_is_cut_between_two_steps_is_done_and_wakes_who_waits(
    client: LeaseClient, database_url: str, tables: Tables, how: str, *, answered: bool
) -> None:
    with LeaseClient(database_url, timing=SELDOM) as other:
        for number in range(MOST_STEPS):
            release = release_of(client.acquire("a"))
            with in_thread(lambda: other.acquire("a", wait=LIMIT)) as waited:
                wait_until(lambda: tables.record("a").waiting, "another client waits")
                caller = client._runtime.means.ledger.open(release.put_right)
                steps = release.steps()
                was_cut = take_and_cut(steps, number, how, answered=answered)
                leave(caller, how)
                del caller, steps, release
                waited().release()
            assert_nothing_is_left(client, tables)
            if not was_cut:
                return
            warm(client)
    raise AssertionError("there was no end of steps")


def test_what_the_program_has_adopted_is_not_released_with_an_acquisition_that_is_cut(
    client: LeaseClient, tables: Tables
) -> None:
    runtime, ticket = client._runtime, Ticket("a")
    (grant,) = tables.grant("a", holder=client.holder)
    state = runtime.call(lambda core: core.heartbeat.adopt(grant, runtime.clock())).result(LIMIT)
    caller = begin(runtime.means, ticket)
    assert take_and_cut(acquire(runtime.means, ticket), 0, "raise", answered=True)
    caller.hasten().result(LIMIT)
    caller.close()
    state.ensure()
    assert tables.record("a").grant == grant
    runtime.submit(lambda core: core.release(state)).result(LIMIT)


def test_what_is_put_right_twice_takes_nothing_from_the_next_call_of_its_client(
    client: LeaseClient, tables: Tables
) -> None:
    means, cut, next_one = client._runtime.means, Ticket("a"), Ticket("a")
    caller = begin(means, cut)
    assert take_and_cut(acquire(means, cut), 0, "vanish", answered=True)
    caller.hasten().result(LIMIT)
    warm(client)
    with begin(means, next_one) as goes_on:
        steps = acquire(means, next_one)
        answer = steps.send(None).in_thread()
        caller.hasten().result(LIMIT)
        assert tables.record("a").holder == client.holder
        with pytest.raises(StopIteration) as end:
            steps.send(answer)
        assert tables.record("a").grant == end.value.value.grant
        goes_on.hasten().result(LIMIT)
        goes_on.close()
    caller.close()


def test_who_is_cut_while_it_waits_for_a_wire_leaves_nothing_to_look_for(client: LeaseClient) -> None:
    runtime, ticket, pool = client._runtime, Ticket("a"), pool_of(client)
    pool._slots = range(1)
    pool._borrowers[0] = other = Ticket("b")
    caller = begin(runtime.means, ticket)
    assert take_and_cut(acquire(runtime.means, ticket), 0, "raise", answered=False)
    caller.hasten().result(LIMIT)
    caller.close()
    assert not runtime.core.heartbeat.in_doubt
    assert runtime.core.turns.owner("a") is None
    pool.give_back(other)


def cut_everywhere(
    work: Callable[[], object],
    afterwards: Callable[[], object],
    by: type[BaseException] = CutError,
    *,
    stride: int = STRIDE,
) -> None:
    """Do ``work`` again and again, cut some lines later each time; where others interfere, it is now longer, now shorter."""
    uncut = 0
    for line in range(0, MOST_LINES, stride):
        # A RuntimeError says that a lock was not held, where the cut came as it was taken again.
        with cut_at(line, by, ROOM, lambda _, event: event == "line") as was_cut, suppress(by, RuntimeError):
            work()
        afterwards()
        uncut += not was_cut()
        if uncut == OFTEN:
            return
    raise AssertionError("there was no end of lines")


def hold(client: LeaseClient) -> None:
    with client.hold("a", wait=LIMIT):
        pass


@pytest.mark.parametrize("by", BY)
def test_a_hold_in_a_thread_that_is_cut_at_any_line_leaves_nothing(
    client: LeaseClient, tables: Tables, by: type[BaseException]
) -> None:
    cut_everywhere(lambda: hold(client), lambda: assert_nothing_is_left(client, tables), by)


@pytest.mark.parametrize("by", BY)
def test_a_hold_that_waits_behind_another_client_and_is_cut_at_any_line_leaves_nothing(
    client: LeaseClient, database_url: str, tables: Tables, by: type[BaseException]
) -> None:
    stop = threading.Event()
    with LeaseClient(database_url, timing=SELDOM) as other:

        def hold_again_and_again() -> None:
            while not stop.is_set():
                with other.hold("a", wait=LIMIT):
                    stop.wait(0.002)

        def work() -> None:
            stop.clear()
            with in_thread(hold_again_and_again) as over:
                # Dropped at once: an error that is raised on keeps its frames. Of a block it does so only where a
                # `try` begins, which no exception table covers, and where a debugger alone can raise anything.
                with suppress(by, RuntimeError):
                    hold(client)
                stop.set()
                over()

        cut_everywhere(work, lambda: assert_nothing_is_left(client, tables), by)


@pytest.mark.parametrize("by", BY)
def test_a_hold_in_an_event_loop_that_is_cut_at_any_line_leaves_nothing(
    database_url: str, tables: Tables, by: type[BaseException]
) -> None:
    with asyncio.Runner() as runner:
        client = lease.LeaseClient(database_url, timing=SELDOM)
        runner.run(client.__aenter__())
        loop = runner.get_loop()

        async def hold() -> None:
            async with client.hold("a", wait=LIMIT):
                pass

        def afterwards() -> None:
            """What `asyncio.run` does when it is interrupted."""
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            with suppress(by, asyncio.CancelledError):
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            assert_nothing_is_left(client, tables)

        runner.run(hold())
        try:
            cut_everywhere(lambda: loop.run_until_complete(hold()), afterwards, by)
        finally:
            runner.run(client.__aexit__(None, None, None))


class AnsweredMeanwhile(Future[str]):
    """Is answered as somebody begins to wait for it, who then runs the callback."""

    def add_done_callback(self, fn: Callable[[Future[str]], object]) -> None:
        if not self.done():
            self.set_result("the answer")
        super().add_done_callback(fn)


WAITS: dict[str, Callable[[Future[str]], str]] = {
    "in a thread": lambda answer: Elsewhere(answer, LIMIT).in_thread(),
    "in an event loop": lambda answer: asyncio.run(Elsewhere(answer, LIMIT).in_loop()),
    "an answer": lambda answer: asyncio.run(asyncio.wait_for(cancellation.answer(answer), LIMIT)),
    "uncut": lambda answer: asyncio.run(asyncio.wait_for(cancellation.uncut(answer), LIMIT)),
}


@pytest.mark.parametrize("by", [StoppedError, LateError])
@pytest.mark.parametrize("how", WAITS)
def test_what_is_raised_as_an_answer_comes_lets_nobody_wait_for_ever(how: str, by: type[Exception]) -> None:
    """`concurrent.futures` logs what a callback raises, also in the thread that adds it."""
    cut_everywhere(lambda: WAITS[how](AnsweredMeanwhile()), lambda: None, by, stride=1)


def test_no_line_of_the_library_runs_in_a_callback_of_its_callers_event_loop(database_url: str) -> None:
    """There asyncio would log what a handler raises, and whoever is to be woken by it would wait for ever."""
    found = set[str]()

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(ROOM) and asyncio.current_task() is None:
            found.add(frame.f_code.co_qualname)

    async def work() -> None:
        async with lease.LeaseClient(database_url, timing=SELDOM) as client:
            for _ in range(3):  # by the library's thread, then by its own
                async with client.hold("a", wait=LIMIT):
                    pass
            await client.read("a")
            with traced(trace):
                async with client.hold("a", wait=LIMIT):
                    pass
                pool_of(client)._is_over = True  # by the library's thread again
                async with client.hold("a", wait=LIMIT):
                    pass

    asyncio.run(work())
    assert not found
