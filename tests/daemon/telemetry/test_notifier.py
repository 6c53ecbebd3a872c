"""Programs and packages subscribe to facts: one that blocks or fails delays nothing, and is reported once."""

import logging
import os
import threading
from asyncio import CancelledError
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from daemon import Schedules
from daemon.errors import DefinitionError
from daemon.telemetry import notifier as subscribers
from daemon.telemetry.facts import Fact, JobPrinted, Note, SubscriberFailed
from daemon.telemetry.notifier import GROUP, Notifier, notifier
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
    monkeypatch.setattr(subscribers, "MOST_CHATTER", 3 * 201)
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
    monkeypatch.setattr(subscribers, "MOST_CHATTER", 0)
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


def named(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    entries = [EntryPoint(f"number-{place}", value, GROUP) for place, value in enumerate(values)]
    monkeypatch.setattr(subscribers, "entry_points", lambda *, group: entries if group == GROUP else [])


def test_the_own_subscriber_and_that_of_a_package_get_every_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ourcompany_facts.py").write_text("taken = []\nwatch = taken.append\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    named(monkeypatch, "ourcompany_facts:watch")
    shown, own = list[Fact](), list[Fact]()
    with notifier(shown.append, own.append) as facts:
        for fact in told():
            facts.notify(fact)
    import ourcompany_facts  # type: ignore[import-not-found]  # noqa: PLC0415 - it was written just now

    assert shown == own == ourcompany_facts.taken == told()


def test_one_that_cannot_be_loaded_is_told_and_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "no_such_package:watch", "os:no_such_name", "os:getpid")
    shown = list[Fact]()
    with notifier(shown.append, None) as facts:
        facts.notify(Note("bye"))
        # Before the end: what fails later is only logged.
        wait_until(lambda: sum(isinstance(fact, SubscriberFailed) for fact in shown) == 3, "all three are told")
    failed = {fact.subscriber: fact.problem for fact in shown if isinstance(fact, SubscriberFailed)}
    assert "cannot be loaded" in failed["no_such_package:watch"]
    assert "no_such_name" in failed["os:no_such_name"]
    assert "it raised TypeError" in failed[os.getpid.__qualname__]
    assert Note("bye") in shown


def test_one_that_never_returns_does_not_keep_a_replica_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, shown = threading.Event(), list[Fact]()
    monkeypatch.setattr("daemon.telemetry.notifier._PATIENCE", 0.05)
    facts = notifier(shown.append, lambda _: let_go.wait())
    facts.notify(Note("bye"))
    assert facts.close(None) is False
    assert shown == [Note("bye")]
    let_go.set()


async def _async(fact: Fact) -> None: ...


@pytest.mark.parametrize(("wrong", "said"), [(_async, "is async"), ("watch", "cannot be called")])
def test_what_cannot_be_a_subscriber_is_refused_where_it_is_given(wrong: object, said: str) -> None:
    with pytest.raises(DefinitionError, match=f"on_fact.*{said}"):
        Schedules("shop", on_fact=wrong)  # type: ignore[arg-type]  # that is what is wrong


def test_definitions_are_the_same_with_a_subscriber() -> None:
    def application(**more: object) -> str:
        schedules = Schedules("shop", **more)  # type: ignore[arg-type]  # only on_fact
        schedules.add("nightly", cron="0 2 * * *").command("export", ["true"])
        return schedules.application().checked_digest

    assert application(on_fact=logging.info) == application()


def test_without_a_thread_for_a_subscriber_there_is_no_notifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may block, and must not do that in a replica's event loop."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        notifier(list[Fact]().append, None)
