"""The library's own thread: of the right kind on every platform, and whoever waits for it is answered; and threads that last
(rule 8).
"""

import asyncio
import gc
import logging
import sys
import threading
import weakref
from collections.abc import Coroutine, Iterator
from itertools import pairwise
from typing import Any, NoReturn

import pytest

from lease import LeaseError
from lease.background import _AT_ONCE, BackgroundLoop
from lease.threads import LastingLoop, LastingThreads
from tests.lease.stores import in_thread
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.usefixtures("passing_seconds")


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    background = BackgroundLoop("lease-test")
    yield background
    background.stop()


def test_its_loop_is_of_the_kind_that_psycopg_takes_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asyncio makes by default on Windows is one that psycopg refuses; and a policy may make any."""

    def proactor() -> NoReturn:
        raise AssertionError("the loop of this platform's default")

    monkeypatch.setattr(asyncio, "new_event_loop", proactor)
    background = BackgroundLoop("lease-test")
    try:
        assert isinstance(background.submit(running).result(LIMIT), asyncio.SelectorEventLoop)
    finally:
        background.stop()


def test_it_is_its_threads_loop_also_to_the_policy(background: BackgroundLoop) -> None:
    """As with `asyncio.run`. A job may have a library that asks there."""

    async def by_policy() -> asyncio.AbstractEventLoop:
        return asyncio.get_event_loop_policy().get_event_loop()

    assert background.submit(by_policy).result(LIMIT) is background.submit(running).result(LIMIT)


def test_it_never_asks_whether_its_thread_lives(background: BackgroundLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to Python 3.12, a signal in the midst of that question makes a living thread say no from then on."""
    monkeypatch.setattr(threading.Thread, "is_alive", lambda _: False)
    assert background.submit(running).result(LIMIT).is_running()


def test_where_no_thread_can_be_started_nothing_of_its_loop_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def no_thread(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    class Noted(LastingLoop):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    monkeypatch.setattr("lease.background.LastingLoop", Noted)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        BackgroundLoop("lease-test")
    assert [loop.is_closed() for loop in made] == [True]


async def forever(begun: threading.Event) -> None:
    begun.set()
    await asyncio.sleep(10 * LIMIT)


async def deaf(begun: threading.Event) -> None:
    while True:
        try:
            await forever(begun)
        except asyncio.CancelledError:
            continue


async def failing(begun: threading.Event) -> None:
    try:
        await forever(begun)
    except asyncio.CancelledError:
        raise LeaseError("it went wrong as it was cancelled") from None


def test_a_burst_of_calls_lets_all_else_in_the_loop_have_its_turn_in_between(background: BackgroundLoop) -> None:
    """The heartbeat is in it too (rule 8)."""
    began: list[int] = []
    turns: list[int] = []
    gate = threading.Event()

    async def held() -> None:
        gate.wait(LIMIT)
        asyncio.get_running_loop().call_soon(take_turn)

    def take_turn() -> None:
        turns.append(len(began))
        if len(began) < 500:
            asyncio.get_running_loop().call_soon(take_turn)

    async def begin() -> None:
        began.append(1)

    first = background.submit(held)
    calls = [background.submit(begin) for _ in range(500)]
    gate.set()
    for call in [first, *calls]:
        call.result(LIMIT)
    background.submit(running).result(LIMIT)
    steps = [after - before for before, after in pairwise([0, *turns])]
    assert max(steps) <= 2 * _AT_ONCE, "what begins in one turn runs in the next"


def test_a_call_that_is_under_way_at_the_end_is_answered_with_a_sentence(background: BackgroundLoop) -> None:
    begun = threading.Event()
    asked = background.submit(lambda: forever(begun))
    assert begun.wait(LIMIT)
    background.stop()
    with pytest.raises(LeaseError, match="this client was closed before this call was answered"):
        asked.result(LIMIT)


@pytest.mark.usefixtures("passing_seconds")
def test_a_call_that_cannot_be_ended_is_answered_too() -> None:
    background = BackgroundLoop("lease-test")
    begun = threading.Event()
    asked = background.submit(lambda: deaf(begun))
    assert begun.wait(LIMIT)
    background._loop.set_exception_handler(lambda *_: None)  # it is destroyed while it goes on
    background.stop()
    with pytest.raises(LeaseError, match="this client was closed before this call was answered"):
        asked.result(LIMIT)


def test_whoever_asks_while_it_ends_is_answered_or_refused() -> None:
    for _ in range(50):
        background = BackgroundLoop("lease-test")

        def ask(background: BackgroundLoop = background) -> int:
            asked = 0
            while True:
                try:
                    background.submit(running).result(LIMIT)
                except LeaseError:
                    return asked
                asked += 1

        with in_thread(ask) as result:
            background.stop()
            result()


def test_any_number_of_threads_may_stop_it() -> None:
    for _ in range(50):
        background = BackgroundLoop("lease-test")
        with in_thread(background.stop) as one, in_thread(background.stop) as two:
            background.stop()
            one()
            two()
        assert background.is_over


def test_what_nobody_waits_for_any_more_is_cancelled(background: BackgroundLoop) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        try:
            await forever(begun)
        finally:
            ended.set()

    asked = background.submit(work)
    assert begun.wait(LIMIT)
    asked.cancel()
    for _ in range(2):
        background.submit(running).result(LIMIT)
    assert ended.is_set()


def test_what_goes_wrong_when_its_caller_has_gone_is_not_logged(
    background: BackgroundLoop, caplog: pytest.LogCaptureFixture
) -> None:
    begun = threading.Event()
    asked = background.submit(lambda: failing(begun))
    assert begun.wait(LIMIT)
    with caplog.at_level(logging.ERROR, "asyncio"):
        assert asked.cancel()
        background.stop()
        del asked
        gc.collect()  # which is when asyncio would log it
    assert caplog.records == []


def test_nothing_is_kept_of_what_was_done(background: BackgroundLoop) -> None:
    kept: list[weakref.ref[Any]] = []

    async def work() -> None:
        kept.append(weakref.ref(asyncio.current_task()))

    asked = background.submit(work)
    asked.result(LIMIT)
    kept.append(weakref.ref(asked))
    del asked
    background.begin(work)
    wait_until(lambda: len(kept) == 3 and not any(one() for one in kept), "all of it is gone")


def test_only_what_fails_in_a_task_for_which_nobody_waits_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    background, begun = BackgroundLoop("lease-test"), threading.Event()

    async def fail() -> None:
        raise OSError("the disk is full")

    with caplog.at_level(logging.DEBUG, "lease"):
        background.begin(running)
        background.begin(fail)
        background.begin(lambda: forever(begun))
        assert begun.wait(LIMIT)
        background.stop()
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("lease", "DEBUG", "a background task failed")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)


def test_what_is_begun_as_it_ends_is_not_even_made(background: BackgroundLoop) -> None:
    """A coroutine that nobody takes a step of is told by Python when it is collected, and so is its task."""
    made, begun = list[str](), threading.Event()

    async def work() -> None:
        made.append("begun")

    def make() -> Coroutine[Any, Any, None]:
        made.append("made")
        return work()

    async def lasting() -> None:
        begun.set()
        try:
            await asyncio.sleep(LIMIT)
        finally:
            background.begin(make)

    background.begin(lasting)
    assert begun.wait(LIMIT)
    background.stop()
    assert made == []


@pytest.fixture
def threads() -> Iterator[LastingThreads]:
    with LastingThreads(2, "test") as threads:
        yield threads


def test_no_more_threads_are_started_than_are_allowed(threads: LastingThreads) -> None:
    assert threads.submit(threading.current_thread).result(LIMIT).daemon
    let_go = threading.Event()
    begun = [threading.Event() for _ in range(3)]

    def wait(number: int) -> str:
        begun[number].set()
        assert let_go.wait(LIMIT)
        return threading.current_thread().name

    calls = [threads.submit(wait, number) for number in range(3)]
    assert begun[0].wait(LIMIT)
    assert begun[1].wait(LIMIT)
    assert not begun[2].is_set()
    let_go.set()
    assert {call.result(LIMIT) for call in calls} == {"test-0", "test-1"}


def test_a_thread_that_has_nothing_to_do_does_the_next_call(threads: LastingThreads) -> None:
    def work() -> str:
        name: str = threads.submit(lambda: threading.current_thread().name).result(LIMIT)
        wait_until(lambda: threads._busy == 0, "it has nothing to do")
        return name

    assert {work() for _ in range(3)} == {"test-0"}


def test_without_a_thread_a_call_ends_with_an_error_and_one_that_is_there_does_the_work_of_the_others(
    threads: LastingThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 8: a machine that is short of threads for a while stops no client."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="no thread can be started"):
            threads.submit(sum, [1, 2]).result(LIMIT)
    assert threads.submit(sum, [1, 2]).result(LIMIT) == 3
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert [call.result(LIMIT) for call in [threads.submit(sum, [1, number]) for number in range(3)]] == [1, 2, 3]


def test_an_error_of_a_call_is_that_of_its_future_and_the_thread_goes_on(threads: LastingThreads) -> None:
    with pytest.raises(SystemExit):
        threads.submit(sys.exit).result(LIMIT)
    assert threads.submit(sum, [1, 2]).result(LIMIT) == 3


@pytest.mark.parametrize("told", [True, False])
def test_a_shutdown_ends_what_is_under_way_well_and_cancels_the_rest_if_told(*, told: bool) -> None:
    threads, let_go, begun = LastingThreads(1, "test"), threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return let_go.wait(LIMIT)

    first, second = threads.submit(wait), threads.submit(wait)
    assert begun.wait(LIMIT)
    threads.shutdown(wait=False, cancel_futures=told)
    assert second.cancelled() is told
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(wait)
    let_go.set()
    threads.shutdown()
    assert first.result(0)
    assert told or second.result(0)


def test_an_event_loop_is_closed_without_a_wait_for_its_blocking_calls() -> None:
    loop, begun, let_go, ended = LastingLoop(), threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        let_go.wait(LIMIT)
        ended.set()

    loop.run_in_executor(None, block)
    assert begun.wait(LIMIT)
    loop.close()
    assert not ended.is_set()
    let_go.set()
