"""A subscriber that blocks or fails delays nothing, and is reported once."""

import threading
from asyncio import CancelledError

import pytest

from daemon.telemetry import notifier
from daemon.telemetry.facts import Fact, JobPrinted, Note, SubscriberFailed
from daemon.telemetry.notifier import Notifier
from tests.daemon.telemetry.told import JOB, told
from tests.support.waiting import LIMIT, wait_until


class Blocked:
    """A subscriber that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.taken: list[Fact] = []

    def __call__(self, fact: Fact) -> None:
        self.entered.set()
        self.go_on.wait(LIMIT)
        self.taken.append(fact)


def test_one_that_blocks_delays_neither_the_replica_nor_another() -> None:
    blocked, other = Blocked(), list[Fact]()
    facts = Notifier(blocked, other.append)
    for fact in told():
        facts.notify(fact)
    wait_until(lambda: other == told(), "the other subscriber has taken all facts")
    assert blocked.taken == []
    assert facts.flush(0.0) is False
    blocked.go_on.set()
    facts.close(LIMIT)
    assert blocked.taken == told()


def test_one_that_does_not_keep_up_loses_chatter_alone_and_is_told_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "MOST_CHATTER", 3 * 201)
    blocked = Blocked()
    facts = Notifier(blocked)
    facts.notify(Note("first"))
    assert blocked.entered.wait(LIMIT)
    for number in range(5):
        facts.notify(JobPrinted(JOB, (str(number),)))
    facts.notify(Note("last"))
    blocked.go_on.set()
    assert facts.close(LIMIT)
    assert [_words(fact) for fact in blocked.taken] == [
        "first",
        "0",
        "1",
        "2",
        "lines of output dropped because they arrived faster than they were shown: 2",
        "last",
    ]


def test_one_that_does_not_keep_up_is_reported_to_the_others_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "MOST_CHATTER", 0)
    blocked, other = Blocked(), list[Fact]()
    facts = Notifier(blocked, other.append)
    for number in range(5):
        facts.notify(JobPrinted(JOB, (str(number),)))
    blocked.go_on.set()
    assert facts.close(LIMIT)
    (failed,) = [fact for fact in other if isinstance(fact, SubscriberFailed) and fact.subscriber == "Blocked"]
    assert "cannot keep up" in failed.problem


def _words(fact: Fact) -> str:
    match fact:
        case JobPrinted(lines=(text,)) | Note(text):
            return text
        case _:
            return type(fact).__name__


def test_one_that_is_slow_is_waited_for_as_long_as_it_takes_facts() -> None:
    taken: list[Fact] = []
    step = threading.Semaphore(0)

    def slow(fact: Fact) -> None:
        assert step.acquire(timeout=LIMIT)
        taken.append(fact)

    facts = Notifier(slow)
    for fact in told():
        facts.notify(fact)
    assert facts.flush(0.01) is False
    closing = threading.Thread(target=facts.close, args=(None,))
    closing.start()
    for _ in told():
        step.release()
    closing.join(LIMIT)
    assert taken == told()


@pytest.mark.parametrize("error", [ValueError("oh"), SystemExit("oh"), CancelledError("oh")])
def test_one_that_raises_gets_what_follows_and_is_reported_once(
    caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    taken: list[Fact] = []

    def failing(fact: Fact) -> None:
        taken.append(fact)
        raise error

    other: list[Fact] = []
    with Notifier(failing, other.append) as facts:
        for fact in told():
            facts.notify(fact)
    assert taken == told()
    (failed,) = [fact for fact in other if isinstance(fact, SubscriberFailed)]
    assert repr(error) in failed.problem
    assert len([record for record in caplog.records if "failing" in record.getMessage()]) == 1
