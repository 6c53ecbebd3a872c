"""What the library's thread shares with those of programs: nothing that a signal in one of these leaves locked
(rule 8).
"""

import concurrent.futures
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

from lease import Grant, Loss, LossKind, events
from lease.calls import acquiring
from lease.delivery import Delivery
from lease.ledger import Caller
from lease.sync import LeaseClient
from lease.threads import SafeEvent
from tests.lease.calls.callers import traced
from tests.lease.stores import SELDOM, Recorder, Tables, in_thread
from tests.support.waiting import LIMIT, wait_until

FILES = (threading.__file__, concurrent.futures._base.__file__)
MOST_STEPS = 400


class Interrupted(BaseException):
    """As the handler of a signal raises it."""


@contextmanager
def interrupted_at(step: int) -> Iterator[Callable[[], bool]]:
    """Raise `Interrupted` in this thread at the beginning or the end of so many calls in the modules of
    Python that wait, or at so many lines of a thread's own methods, which up to Python 3.12 take a lock there; what
    is given says whether there were that many.
    """
    left = [step]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in FILES or left[0] < 0:
            return None
        is_of_a_thread = isinstance(frame.f_locals.get("self"), threading.Thread)
        if event in ("call", "return") or (event == "line" and is_of_a_thread):
            left[0] -= 1
            if left[0] < 0:
                raise Interrupted
        return trace

    with traced(trace):
        yield lambda: left[0] < 0


def interrupt_everywhere(work: Callable[[], object], afterwards: Callable[[], object]) -> None:
    """Do ``work`` again and again, interrupted one step later each time, and ``afterwards`` in another
    thread.
    """
    for step in range(MOST_STEPS):
        # A RuntimeError says that a lock was not held, where the interruption came as it was taken again.
        with interrupted_at(step) as was_interrupted, suppress(Interrupted, RuntimeError):
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
