"""A caller that a signal interrupts, that forks, or whose client another thread closes, at any moment: nothing
stays held in silence, nobody stays in a queue, and nothing hangs.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

import lease
from lease import LeaseError
from lease.core import Core
from lease.handle import Handle
from lease.sync import LeaseClient
from tests.lease.calls.callers import traced
from tests.lease.stores import SELDOM, Tables, in_thread, until
from tests.support.waiting import LIMIT, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("processes")]
TAKERS = ("take_in_thread", "take_in_loop")
TIMES = 40


@pytest.fixture(autouse=True)
def unraisable_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a handler raises in a finalizer, or in a callback of the garbage collector, cannot arrive; the next signal
    does. pytest's own hook takes long enough on a busy machine to be interrupted itself, and then fails the test.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)


@pytest.fixture
def client(database_url: str) -> Iterator[LeaseClient]:
    with LeaseClient(database_url, timing=SELDOM) as client:
        yield client


def hold(client: LeaseClient) -> None:
    with client.hold("a", wait=LIMIT):
        pass


def assert_nothing_is_left(client: LeaseClient, tables: Tables) -> None:
    core = client._runtime.core
    wait_until(lambda: not core.heartbeat.held.all(), "nothing is held")
    wait_until(lambda: core.turns.owner("a") is None, "it is nobody's turn within the client")
    wait_until(lambda: not client.list("a") or client.list("a")[0].waiting == (), "nobody waits")
    wait_until(lambda: not client.list("a") or tables.record("a").holder is None, "the database has no holder")


@contextmanager
def interrupted_where(is_there: Callable[[FrameType, str], object]) -> Iterator[None]:
    """Raise KeyboardInterrupt at the first event of a frame of which this is so."""

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        if is_there(frame, event):
            raise KeyboardInterrupt
        return trace

    with traced(trace):
        yield


def once_held(core: Core) -> Callable[[FrameType, str], object]:
    """`hold` has acquired its lease, and its block has not begun."""
    return lambda frame, event: event == "return" and frame.f_code.co_name in TAKERS and core.heartbeat.held.all()


def as_a_lease_is_made(frame: FrameType, _event: str) -> bool:
    """`acquire` has been granted its lease, and the program does not have it yet."""
    return frame.f_code is Handle.__init__.__code__


def test_who_keeps_the_error_of_an_interrupted_caller_keeps_no_lease(client: LeaseClient, tables: Tables) -> None:
    """The error refers to the caller's frames, as where a debugger or a reporter of errors has it."""
    with interrupted_where(once_held(client._runtime.core)), pytest.raises(KeyboardInterrupt) as kept:
        hold(client)
    assert_nothing_is_left(client, tables)
    assert kept.value.__traceback__ is not None


def test_what_is_granted_to_a_caller_who_never_has_its_lease_is_released(client: LeaseClient, tables: Tables) -> None:
    with interrupted_where(as_a_lease_is_made), pytest.raises(KeyboardInterrupt):
        client.acquire("a")
    assert_nothing_is_left(client, tables)


async def test_what_is_granted_to_a_task_that_never_has_its_lease_is_released(database_url: str) -> None:
    async with lease.LeaseClient(database_url, timing=SELDOM) as client:
        with interrupted_where(as_a_lease_is_made), pytest.raises(KeyboardInterrupt):
            await client.acquire("a")
        await until(lambda: not client._runtime.core.heartbeat.held.all())


async def test_who_keeps_the_error_of_an_interrupted_task_keeps_no_lease(tables: Tables, database_url: str) -> None:
    async with lease.LeaseClient(database_url, timing=SELDOM) as client:
        with interrupted_where(once_held(client._runtime.core)), pytest.raises(KeyboardInterrupt) as kept:
            async with client.hold("a", wait=LIMIT):
                pass
        await until(lambda: not client._runtime.core.heartbeat.held.all())
        assert kept.value.__traceback__ is not None


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
def test_by_a_fork_while_other_threads_acquire(client: LeaseClient, tables: Tables) -> None:
    """The child is refused at once, whatever it inherits in the midst of, and the parent notices nothing."""
    stop = threading.Event()

    def acquire_again_and_again() -> int:
        times = 0
        while not stop.is_set():
            with client.hold("a", wait=LIMIT):
                times += 1
        return times

    with in_thread(acquire_again_and_again) as one, in_thread(acquire_again_and_again) as other:
        for _ in range(TIMES):
            child = os.fork()
            if child == 0:
                _end_of_a_child(client)
            assert _status(child) == 0
        stop.set()
        assert one() + other() > 0
    assert_nothing_is_left(client, tables)


def _end_of_a_child(client: LeaseClient) -> None:
    refused = 0
    client.__exit__()  # a block that is left there ends nothing of the parent's
    for call in (lambda: client.acquire("a"), lambda: client.read("a")):
        try:
            call()
        except LeaseError:
            refused += 1
    os._exit(0 if refused == 2 else 1)


def _status(child: int) -> int:
    """Return the exit status of a child, which has to end soon."""
    ended: list[int] = []

    def has_ended() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        ended.extend([status] * bool(pid))
        return bool(pid)

    try:
        wait_until(has_ended, "the child ends")
    except AssertionError:
        os.kill(child, signal.SIGKILL)
        raise
    return os.waitstatus_to_exitcode(ended[0])
