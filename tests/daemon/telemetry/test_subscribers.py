"""Programs and packages subscribe to facts, and nothing that is wrong with one of them reaches a replica."""

import logging
import os
import threading
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from daemon import Schedules
from daemon.errors import DefinitionError
from daemon.telemetry import notifier as subscribers
from daemon.telemetry.facts import Fact, Note, SubscriberFailed
from daemon.telemetry.notifier import GROUP, notifier
from tests.daemon.telemetry.told import told
from tests.support.waiting import wait_until


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
