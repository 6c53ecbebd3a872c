"""A look at a run at work: who is asked, what comes back, and what is said where nobody can answer."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import Connection

from daemon.errors import CannotAct, NotFound
from daemon.execution.attempt import JobSeen
from daemon.execution.claim import ClaimedRun
from daemon.jobs.stacks import SeenProcess, SeenWork, Stack
from daemon.operations.forget import forget
from daemon.operations.look import AskedReplica, ask, not_answered, read_look
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.store import statements
from daemon.store.tables import replica, run
from daemon.version import package_version
from lease.database.dialects import later, now
from tests.support.completion import finish_run
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule

SEEN = SeenWork(
    [SeenProcess(4712, 4711, "sleeping", "hrtimer_nanosleep", 0.25, "sleep 5")],
    [Stack("main thread", ("a.py:3 in inner", "a.py:9 in job"), 2)],
    ("a remark",),
)


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(a_schedule("daily"))
    return store


def at_work(store: Store, **replicas: Any) -> ClaimedRun:
    store.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = store.claim("daily")
    entry = own_entry(claimed.grant.holder, "shop")
    store.do(registry.register, entry)
    if replicas:
        store.change(replica, **replicas)
    return claimed


def answered(store: Store, claimed: ClaimedRun, seen: JobSeen | None) -> None:
    text = json.dumps(None if seen is None else asdict(seen))
    store.do(statements.run.answer_look, claimed.run_id, claimed.grant, text)


def told(store: Store, claimed: ClaimedRun) -> list[tuple[int, str | None]]:
    """Who asks, as the replica reads it."""
    return [(row.id, row.look_asked_by) for row in store.do(statements.run.find_told, [claimed.run_id])]


def test_the_replica_reads_the_question_with_the_cancels_and_its_answer_comes_back(store: Store) -> None:
    claimed = at_work(store)
    assert told(store, claimed) == []
    question = store.do(ask, claimed.run_id, requested_by="bob@web-2")
    assert told(store, claimed) == [(claimed.run_id, "bob@web-2")]
    assert store.do(read_look, question) is None
    answered(store, claimed, JobSeen("work", 2, "process", SEEN))
    found = store.do(read_look, question)
    assert found is not None
    assert (found.run_id, found.application, found.schedule, found.asked_by) == (1, "shop", "daily", "bob@web-2")
    assert (found.job, found.attempt, found.isolation) == ("work", 2, "process")
    assert (
        SeenWork(
            found.processes, [Stack(one.of, tuple(one.frames), one.count) for one in found.stacks], tuple(found.remarks)
        )
        == SEEN
    )
    assert told(store, claimed) == [], "it is answered"


def test_an_earlier_answer_is_not_taken_for_a_new_one_and_two_may_ask_at_a_time(store: Store) -> None:
    claimed = at_work(store)
    store.do(ask, claimed.run_id, requested_by="bob")
    answered(store, claimed, None)
    first, second = (store.do(ask, claimed.run_id, requested_by=who) for who in ("bob", "eve"))
    assert store.do(read_look, first) is None
    answered(store, claimed, None)
    looks = [store.do(read_look, one) for one in (first, second)]
    assert [look and look.job for look in looks] == [None, None]
    assert None not in looks


def test_a_question_of_long_ago_is_not_answered_any_more(store: Store) -> None:
    claimed = at_work(store)
    store.do(ask, claimed.run_id, requested_by="bob")
    store.change(run, look_asked_at=later(now(), -61.0))
    assert told(store, claimed) == []


def test_of_a_run_that_waits_or_is_over_it_says_so_and_asks_nobody(store: Store) -> None:
    store.do(trigger, "shop", "daily", requested_by="ada")
    with pytest.raises(CannotAct, match="no replica can be asked: run 1 of daily waits"):
        store.do(ask, 1, requested_by="bob")
    (claimed,) = store.claim("daily")
    store.do(finish_run, claimed, "succeeded", None)
    with pytest.raises(CannotAct, match="no replica can be asked: run 1 of daily succeeded"):
        store.do(ask, 1, requested_by="bob")
    assert store.run(1).look_asked_at is None
    with pytest.raises(NotFound, match="run 7 does not exist"):
        store.do(ask, 7, requested_by="bob")


def test_of_a_replica_that_is_silent_it_says_since_when_and_asks_nobody(store: Store) -> None:
    claimed = at_work(store, seen_at=later(now(), -40.0))
    with pytest.raises(CannotAct, match=r"was last seen \d+s ago, and no other replica is running"):
        store.do(ask, claimed.run_id, requested_by="bob")
    assert told(store, claimed) == []


def test_a_run_that_ended_meanwhile_or_went_elsewhere_is_not_waited_for(store: Store) -> None:
    claimed = at_work(store)
    question = store.do(ask, claimed.run_id, requested_by="bob")
    store.change(run, token=run.c.token + 1)
    answered(store, claimed, None)
    with pytest.raises(
        CannotAct, match=r"run 1 of daily has ended, or is elsewhere than on .*; `leased show 1` says more"
    ):
        store.do(read_look, question)
    assert store.run(1).look is None, "who has lost it answers for nobody"


def test_without_an_answer_it_says_what_is_known_and_what_an_older_version_cannot_know(store: Store) -> None:
    claimed = at_work(store)

    def known(connection: Connection) -> AskedReplica:
        return ask(connection, claimed.run_id, requested_by="bob")

    assert "has not answered within 10s; it is alive, but busy" in str(not_answered(store.do(known), "10s"))
    store.change(replica, version="0.1.0")
    said = str(not_answered(store.do(known), "10s"))
    assert f"it runs leased 0.1.0, which may not know `leased stack` of {package_version()}" in said
    assert said.endswith("job: between jobs")


def test_what_was_seen_of_a_forgotten_run_is_deleted(store: Store) -> None:
    claimed = at_work(store)
    store.do(ask, claimed.run_id, requested_by="bob")
    answered(store, claimed, JobSeen("work", 1, "process", SEEN))
    store.do(finish_run, claimed, "succeeded", None)
    store.do(forget, claimed.run_id, requested_by="bob")
    assert store.run(claimed.run_id).look is None
