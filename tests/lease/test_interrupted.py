"""A caller that a signal interrupts, or that forks, at any moment: nothing stays held in silence, nobody stays in a queue,
and nothing hangs. What the library's thread shares with those of programs is nothing that a signal in one of these
leaves locked (rule 8).
"""

import concurrent.futures
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

import lease
from lease import Grant, LeaseError, Loss, LossKind, events
from lease.calls import acquiring
from lease.core import Core
from lease.delivery import Delivery
from lease.handle import Handle
from lease.ledger import Caller
from lease.sync import LeaseClient
from lease.threads import SafeEvent
from tests.lease.calls.callers import assert_nothing_is_left, cut_at, traced
from tests.lease.stores import SELDOM, Recorder, Tables, in_thread, until
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

TAKERS = ("take_in_thread", "take_in_loop")
TIMES = 40


@pytest.fixture
def client(database_url: str) -> Iterator[LeaseClient]:
    with LeaseClient(database_url, timing=SELDOM) as client:
        yield client


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
    with (
        interrupted_where(once_held(client._runtime.core)),
        pytest.raises(KeyboardInterrupt) as kept,
        client.hold("a", wait=LIMIT),
    ):
        pass
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
@pytest.mark.usefixtures("processes")
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


FILES = (threading.__file__, concurrent.futures._base.__file__)
MOST_STEPS = 400


class Interrupted(BaseException):
    """As the handler of a signal raises it."""


def is_a_step(frame: FrameType, event: str) -> bool:
    """The beginning or the end of a call in the modules of Python that wait, or a line of a thread's own methods, which up to
    Python 3.12 take a lock there.
    """
    return event in ("call", "return") or (event == "line" and isinstance(frame.f_locals.get("self"), threading.Thread))


def interrupt_everywhere(work: Callable[[], object], afterwards: Callable[[], object]) -> None:
    """Do ``work`` again and again, interrupted one step later each time, and ``afterwards`` in another
    thread.
    """
    for step in range(MOST_STEPS):
        # A RuntimeError says that a lock was not held, where the interruption came as it was taken again.
        with cut_at(step, Interrupted, FILES, is_a_step) as was_interrupted, suppress(Interrupted, RuntimeError):
            work()
        with in_thread(afterwards) as done:
            done()
        if not was_interrupted():
            return
    raise AssertionError("there was no end of steps")


def test_a_call_of_a_client_that_is_interrupted_anywhere_stops_no_other_call(database_url: str) -> None:
    with LeaseClient(database_url, timing=SELDOM) as client:
        client.read("a")
        interrupt_everywhere(lambda: client.read("a"), lambda: client.read("a"))


@pytest.mark.usefixtures("own_heap")
def test_what_a_second_signal_keeps_from_being_put_right_is_left(
    database_url: str, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one comes when the lease is granted and nobody has it yet, the second as that is put right."""
    signals = [1, 2]

    def cut_short(*_: object) -> None:
        signals.pop()
        raise Interrupted

    def is_free() -> bool:
        gc.collect()
        record = tables.read("a")
        return record is not None and not record.live

    with LeaseClient(database_url, timing=SELDOM) as client:
        with monkeypatch.context() as patch, suppress(Interrupted):
            patch.setattr(acquiring, "note_holder", cut_short)
            patch.setattr(Caller, "hasten", cut_short)
            client.acquire("a")
        assert signals == []
        wait_until(is_free, "it is released")


def test_a_caller_who_goes_before_its_block_begins_is_missed(sqlite_url: str) -> None:
    """A signal may come when the ledger has its entry, and the block that leaves it has not begun."""
    put_right = threading.Event()

    async def put() -> None:
        put_right.set()

    with LeaseClient(sqlite_url, timing=SELDOM) as client:
        client._runtime.means.ledger.open(put)
        assert put_right.wait(LIMIT)


def test_a_wait_for_a_loss_that_is_interrupted_anywhere_leaves_the_loss_to_be_told() -> None:
    lost = SafeEvent()

    def tell() -> None:
        lost.set()
        assert lost.is_set()
        lost.clear()
        assert not lost.is_set()

    interrupt_everywhere(lambda: lost.wait(0.001), tell)


def test_a_subscriber_hears_on_after_an_event_whose_report_was_interrupted_anywhere(told: Recorder) -> None:
    delivery = Delivery(told)
    event = events.Lost(Loss(Grant("a", 1, "anna"), LossKind.ENDED, "stolen"))
    interrupt_everywhere(lambda: delivery.put(event), lambda: delivery.put(event))
    wait_until(lambda: told.all, "it hears")
    delivery.close()
