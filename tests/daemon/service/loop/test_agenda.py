"""One query tells a replica what there is to do, and how long it may sleep."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from daemon.definitions.triggers.trigger import Every
from daemon.execution.next_step import LONGEST_WAIT
from daemon.operations.trigger import trigger
from daemon.service.loop.agenda import Agenda, read_agenda
from daemon.store import statements
from daemon.store.tables import run, schedule
from tests.support.store import TTL, Store, a_schedule, an_at, pending_runs

pytestmark = pytest.mark.conformance


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store(database_url) as opened:
        yield opened


def look(store: Store, *known: str, holder: str = "h1") -> Agenda:
    return store.do(read_agenda, "shop", store.known(*known), holder)


def test_nothing_at_all_is_idle(store: Store) -> None:
    seen = look(store)
    assert seen.idle
    assert (seen.until_due, seen.until_available, seen.until_stale) == (None, None, None)


def test_it_is_idle_until_the_next_instant(store: Store) -> None:
    store.sync(a_schedule("poll", Every(60.0)), a_schedule("later"))
    seen = look(store, "poll", "later")
    assert seen.idle
    assert seen.until_due is not None
    assert 0 < seen.until_due <= 60


def test_what_is_due_is_told_before_it_is_planned(store: Store) -> None:
    once = an_at("once")
    store.sync(once)
    seen = look(store, "once")
    assert (seen.due, seen.idle) == (1, False)
    assert seen.until_due is not None
    assert seen.until_due < 0
    store.plan(once)
    seen = look(store, "once")
    assert (seen.due, seen.available, seen.waiting, seen.running, seen.idle) == (0, 1, 0, 0, False)


def test_a_running_run_is_told_with_the_time_until_its_lease_is_stale(store: Store) -> None:
    store.sync(a_schedule("daily"))
    store.do(trigger, "shop", "daily", requested_by="ada")
    store.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = store.claim("daily")
    seen = look(store, "daily")
    assert (seen.available, seen.waiting, seen.running, seen.others_running, seen.idle) == (0, 1, 1, 0, False)
    assert seen.until_stale is not None
    assert 0 < seen.until_stale <= TTL
    assert look(store, "daily", holder="h2").others_running == 1
    store.go_stale(claimed.grant)
    assert (look(store, "daily").until_stale or 0) <= 0
    store.steal(claimed.grant)
    assert look(store, "daily").until_stale == 0


def test_a_run_under_somebody_elses_lease_is_available_when_that_would_go_stale(store: Store) -> None:
    one, other = a_schedule("one", lock="warehouse"), a_schedule("other", lock="warehouse")
    store.sync(one, other)
    pending_runs(store, one, 1)
    store.claim("one")
    pending_runs(store, other, 1)
    seen = look(store, "other")
    assert (seen.available, seen.waiting) == (0, 1)
    assert seen.until_available is not None
    assert 0 < seen.until_available <= TTL


def test_a_retry_is_available_when_its_wait_is_over(store: Store) -> None:
    store.sync(a_schedule("daily"))
    pending_runs(store, a_schedule("daily"), 1)
    store.shift(run, available_at=30.0)
    seen = look(store, "daily")
    assert (seen.available, seen.waiting, seen.idle) == (0, 1, False)
    assert seen.until_available is not None
    assert 20 < seen.until_available <= 30


def test_a_run_that_is_to_start_later_than_any_wait_was_put_off_by_a_clock(store: Store) -> None:
    store.sync(a_schedule("daily"))
    pending_runs(store, a_schedule("daily"), 2)
    store.shift(run, available_at=LONGEST_WAIT - 60.0)
    assert look(store, "daily").put_off == 0
    assert store.do(statements.run.start_put_off, "shop", LONGEST_WAIT) == 0
    (first, second) = store.runs()
    store.shift(run, run.c.id == second.id, available_at=LONGEST_WAIT + 60.0)
    assert look(store, "daily").put_off == 1
    assert store.do(statements.run.start_put_off, "bank", LONGEST_WAIT) == 0, "those of another application"
    assert store.do(statements.run.start_put_off, "shop", LONGEST_WAIT) == 1
    seen = look(store, "daily")
    assert (seen.put_off, seen.available, seen.waiting) == (0, 1, 1)
    assert store.run(first.id).available_at == first.available_at


def test_a_run_that_must_start_soon_is_a_reason_to_wake(store: Store) -> None:
    store.sync(a_schedule("daily"))
    pending_runs(store, a_schedule("daily"), 1)
    store.shift(run, start_by=20.0)
    seen = look(store, "daily")
    assert seen.until_due is not None
    assert 10 < seen.until_due <= 20
    assert seen.due == 0
    store.shift(run, start_by=-1.0)
    assert look(store, "daily").due == 1
    store.plan(a_schedule("daily"))
    assert look(store, "daily").idle


def test_what_is_unknown_or_of_others_concerns_nobody_here(store: Store) -> None:
    """Rule 17."""
    store.sync(an_at("unknown"))
    pending_runs(store, an_at("unknown"), 1)
    store.sync(an_at("known"), application="office")
    assert look(store, "known").idle


def test_what_waits_of_a_retired_schedule_concerns_whoever_has_its_definition(store: Store) -> None:
    """Rules 17 and 22."""
    retired, changed = an_at("retired"), an_at("changed")
    store.sync(retired, changed)
    for one in (retired, changed):
        pending_runs(store, one, 1)
    store.sync(an_at("changed", jobs=("other",)))
    assert look(store, "retired").available == 1
    changed_now = look(store, "changed")
    assert (changed_now.available, changed_now.waiting) == (0, 0)


def test_it_is_one_round_trip(store: Store) -> None:
    store.sync(a_schedule("daily"))
    statements: list[str] = []
    with store.engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
        read_agenda(connection, "shop", {"daily": a_schedule("daily").run_digest()})
    assert len(statements) == 1
    assert schedule.name in statements[0]
