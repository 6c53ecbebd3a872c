"""Events reach a subscriber from a queue in a thread of its own: a slow one delays no renewal (rule 8)."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from lease import Grant, Loss, LossKind, delivery, events
from lease.delivery import Delivery
from lease.sync import LeaseClient
from tests.lease.stores import STEADY, Recorder
from tests.support.waiting import LIMIT, wait_until

GRANT = Grant("a", 1, "anna")
LOST = events.Lost(Loss(GRANT, LossKind.ENDED, "stolen"))
QUITE_LONG = 10.0
"""Seconds that nothing takes which is done at once."""
RENEWED = events.Renewed((GRANT, GRANT), 5.0, 0.1)


class Stuck:
    """A subscriber that takes nothing until a test lets it."""

    def __init__(self) -> None:
        self.told = Recorder()
        self.taking = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, event: events.Event) -> None:
        self.thread = threading.current_thread()
        self.taking.set()
        assert self.go_on.wait(LIMIT)
        self.told(event)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stuck = Stuck()
    yield stuck
    stuck.go_on.set()


def first_taken(stuck: Stuck) -> Delivery:
    """Return a delivery whose subscriber is stuck at its first event."""
    delivery = Delivery(stuck)
    delivery.put(events.Granted(GRANT))
    assert stuck.taking.wait(LIMIT)
    return delivery


def test_events_are_delivered_in_order_and_all_of_them_before_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PATIENCE", QUITE_LONG)
    begun = time.monotonic()
    taken: list[float] = []

    def slow(event: events.Event) -> None:
        assert isinstance(event, events.Stalled)
        time.sleep(0.001)
        taken.append(event.seconds)

    delivering = Delivery(slow)
    for number in range(100):
        delivering.put(events.Stalled(number))
    delivering.close()
    assert taken == list(range(100))
    assert time.monotonic() - begun < QUITE_LONG, "nobody waits once that is done"
    delivering.put(events.Stalled(100))
    assert taken[-1] == 100, "what comes after it is delivered at once"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_whatever_a_subscriber_raises_it_gets_what_follows(
    caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    taken: list[events.Event] = []

    def failing(event: events.Event) -> None:
        taken.append(event)
        raise error

    delivering = Delivery(failing)
    for event in (RENEWED, LOST):
        delivering.put(event)
    delivering.close()
    assert taken == [RENEWED, LOST]
    assert [record.getMessage() for record in caplog.records] == [
        "a subscriber of lease events failed at Renewed",
        "a subscriber of lease events failed at Lost",
    ]


def test_an_interrupt_in_the_programs_own_thread_is_the_programs() -> None:
    """Where no thread delivers, as in a client with a clock of its own: a Ctrl-C must not be lost."""

    def interrupted(_: events.Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        events.guarded(interrupted)(events.Stalled(1.0))


GRANTED = events.Granted(GRANT)
FIT: list[events.Event] = [events.Refused("b", None), events.Released(GRANT, True), GRANTED]
"""What just fits into the room of three."""
FULL: dict[str, tuple[str, int, list[events.Event], list[events.Event]]] = {
    "what is dropped of the daily round is counted in its place and takes no loss with it": (
        "MOST_CHATTER",
        5,
        [RENEWED, RENEWED, RENEWED, RENEWED, LOST, RENEWED, LOST],
        [RENEWED, RENEWED, events.Dropped(2), LOST, events.Dropped(1), LOST],
    ),
    "what is told of one lease takes the room of one": ("MOST_CHATTER", 3, [*FIT, GRANTED], [*FIT, events.Dropped(1)]),
    "one renewal of more leases than fit is delivered": ("MOST_CHATTER", 1, [RENEWED, LOST], [RENEWED, LOST]),
    "a queue that is full drops even losses": ("MOST_EVENTS", 2, [LOST] * 5, [LOST, LOST, events.Dropped(3)]),
}
"""Which limit is reached, what is given, and what a subscriber gets after the event at which it was stuck."""


@pytest.mark.parametrize("what", FULL)
def test_of_more_than_fits(stuck: Stuck, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    limit, most, given, taken = FULL[what]
    monkeypatch.setattr(delivery, limit, most)
    delivering = first_taken(stuck)
    for event in given:
        delivering.put(event)
    stuck.go_on.set()
    delivering.close()
    assert stuck.told.all == [GRANTED, *taken]


def test_what_was_dropped_is_told_at_the_end_though_nothing_else_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "MOST_EVENTS", 0)
    told = Recorder()
    delivering = Delivery(told)
    delivering.put(LOST)
    delivering.close()
    assert told.all == [events.Dropped(1)]


def test_closing_gives_up_on_a_subscriber_that_takes_nothing_and_it_gets_no_more(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PATIENCE", 0.05)
    delivering = first_taken(stuck)
    delivering.put(LOST)
    delivering.close()
    assert stuck.told.all == []
    monkeypatch.setattr(delivery, "_PATIENCE", QUITE_LONG)
    begun = time.monotonic()
    delivering.close()
    assert time.monotonic() - begun < QUITE_LONG, "it is not waited for twice"
    stuck.go_on.set()
    stuck.thread.join(LIMIT)
    assert stuck.told.all == [events.Granted(GRANT)]


def test_the_thread_that_delivers_ends_as_it_is_closed(stuck: Stuck) -> None:
    delivering = first_taken(stuck)
    stuck.go_on.set()
    delivering.close()
    stuck.thread.join(QUITE_LONG)
    assert not stuck.thread.is_alive()


@pytest.mark.usefixtures("passing_seconds")
def test_a_subscriber_that_blocks_delays_no_renewal_and_no_other_call(database_url: str, stuck: Stuck) -> None:
    ends: list[float] = []
    with LeaseClient(database_url, timing=STEADY, on_event=stuck) as client:
        with client.hold("a") as held:
            held.watch(ends.append)
            assert stuck.taking.wait(LIMIT)
            wait_until(lambda: len(ends) > 4, "it is renewed all the same")
            assert client.read("a") is not None
        stuck.go_on.set()
    assert len(stuck.told.of(events.Renewed)) >= 3
    assert isinstance(stuck.told.all[-1], events.Released)


UNREAD = """
import logging, sys, threading
from lease import LeaseTiming
from lease.sync import LeaseClient

def fill():
    while True:
        logging.warning("x" * 1000)

logging.basicConfig(level=logging.DEBUG)
logging.getLogger("lease").setLevel(logging.DEBUG)
with LeaseClient(sys.argv[1], timing=LeaseTiming(6, renew_every=0.25)) as client, client.hold("a") as held:
    threading.Thread(target=fill, daemon=True).start()
    renewed = threading.Semaphore(0)
    held.watch(lambda _: renewed.release())
    for _ in range(12):
        assert renewed.acquire(timeout=float(sys.argv[2]))
    print("renewed", flush=True)
print("closed", flush=True)
"""


@pytest.mark.usefixtures("processes", "passing_seconds")
def test_a_log_that_nobody_reads_delays_no_renewal_and_no_closing(database_url: str) -> None:
    command = [sys.executable, "-c", UNREAD, database_url, str(LIMIT / 2)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "renewed\n"
            assert process.stdout.readline() == "closed\n"
        finally:
            process.kill()


@pytest.mark.parametrize(("level", "logged"), [(logging.DEBUG, True), (logging.WARNING, False)])
def test_what_nobody_logs_wakes_no_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, level: int, *, logged: bool
) -> None:
    """Two events come with each acquisition, and by default they are debug lines."""
    caplog.set_level(level, logger="lease")
    told = Recorder()

    def take(_delivery: Delivery, event: events.Event) -> bool:
        told(event)
        return True

    monkeypatch.setattr(Delivery, "_take", take)
    delivering, stalled = Delivery(events.log_event), events.Stalled(1.0)
    delivering.put(events.Granted(GRANT))
    delivering.put(stalled)
    assert told.all == ([events.Granted(GRANT), stalled] if logged else [stalled])
    delivering.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.usefixtures("processes")
def test_a_forked_child_does_without_a_thread_that_only_its_parent_has(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PATIENCE", 2 * LIMIT)
    under_way = first_taken(stuck)
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(10)  # which ends it where `close` does not
            under_way.close()
            stuck.go_on = threading.Event()  # the thread may just have had the lock of that one
            stuck.go_on.set()
            under_way.put(LOST)
            os._exit(0 if stuck.told.all == [LOST] else 1)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
