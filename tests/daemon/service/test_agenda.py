"""One query tells a replica what there is to do, and how long it may sleep."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from daemon.definitions.application import Known
from daemon.definitions.triggers.trigger import Every
from daemon.operations.trigger import trigger
from daemon.service.waking.idle_wait import Agenda, read_agenda
from daemon.store.tables import run, schedule
from tests.support.store import TTL, Store, a_schedule, an_at, explained, pages_of, pending_runs

pytestmark = pytest.mark.conformance


def look(store: Store, *known: str, holder: str = "h1") -> Agenda:
    return store.do(read_agenda, "shop", store.known(*known), holder)


def test_it_is_idle_until_the_next_instant(store: Store) -> None:
    nothing = look(store)
    assert nothing.idle
    assert (nothing.until_due, nothing.until_available, nothing.until_stale) == (None, None, None)
    store.sync(a_schedule("poll", Every(60.0)), a_schedule("later"))
    seen = look(store, "poll", "later")
    assert seen.idle
    assert seen.until_due is not None
    assert 0 < seen.until_due <= 60


def test_what_is_due_is_told_before_it_is_planned(store: Store) -> None:
    once = an_at("once")
    store.sync(once)
    seen = look(store, "once")
    assert (seen.due, seen.idle) == (True, False)
    assert seen.until_due is not None
    assert seen.until_due < 0
    store.plan(once)
    seen = look(store, "once")
    assert (seen.due, seen.available, seen.pending, seen.running, seen.idle) == (False, True, True, False, False)


def test_a_running_run_is_told_with_the_time_until_its_lease_is_stale(store: Store) -> None:
    store.sync(a_schedule("daily"))
    store.do(trigger, "shop", "daily", requested_by="ada")
    store.do(trigger, "shop", "daily", requested_by="ada")
    (claimed,) = store.claim("daily")
    seen = look(store, "daily")
    assert (seen.available, seen.pending, seen.running) == (False, True, True)
    assert (seen.others_running, seen.idle) == (False, False)
    assert seen.until_stale is not None
    assert 0 < seen.until_stale <= TTL
    assert look(store, "daily", holder="h2").others_running
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
    assert (seen.available, seen.pending) == (False, True)
    assert seen.until_available is not None
    assert 0 < seen.until_available <= TTL


def test_a_retry_is_available_when_its_wait_is_over(store: Store) -> None:
    store.sync(a_schedule("daily"))
    pending_runs(store, a_schedule("daily"), 1)
    store.shift(run, available_at=30.0)
    seen = look(store, "daily")
    assert (seen.available, seen.pending, seen.idle) == (False, True, False)
    assert seen.until_available is not None
    assert 20 < seen.until_available <= 30


def test_a_run_that_must_start_soon_is_a_reason_to_wake(store: Store) -> None:
    store.sync(a_schedule("daily"))
    pending_runs(store, a_schedule("daily"), 1)
    store.shift(run, start_by=20.0)
    seen = look(store, "daily")
    assert seen.until_due is not None
    assert 10 < seen.until_due <= 20
    assert not seen.due
    store.shift(run, start_by=-1.0)
    assert look(store, "daily").due
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
    assert look(store, "retired").available
    changed_now = look(store, "changed")
    assert (changed_now.available, changed_now.pending) == (False, False)


def test_what_is_strange_is_nothing_to_do_for_this_replica(store: Store) -> None:
    """Whether it is due, waits for its time, may start, or is at work (rule 22)."""
    store.sync(*(a_schedule(name) for name in ("may-start", "starts-later", "at-work")), an_at("due"))
    for name in ("may-start", "starts-later", "at-work"):
        pending_runs(store, a_schedule(name), 1)
    store.shift(run, run.c.schedule == "starts-later", available_at=60.0)
    store.claim("at-work")
    nobody, everybody = Known({}), store.known("may-start", "starts-later", "at-work", "due")
    assert store.do(read_agenda, "shop", everybody).available
    before = store.do(read_agenda, "shop", nobody)
    assert (before.idle, before.until_due, before.until_available) == (True, None, None)
    assert len(nobody.other_schedules) == 4
    assert sorted(nobody.other_digests) == sorted(
        a_schedule(name).run_digest() for name in ("may-start", "starts-later", "at-work")
    )
    assert everybody.other_digests == []


def test_it_is_one_round_trip(store: Store) -> None:
    store.sync(a_schedule("daily"))
    with store.engine.connect() as connection, store.sent() as sent:
        read_agenda(connection, "shop", Known({"daily": a_schedule("daily").run_digest()}))
    (statement,) = sent
    assert schedule.name in statement


def test_it_takes_as_long_with_many_runs_as_with_few(postgres_url: str) -> None:
    """Of each kind it looks up the first, by an index: it reads as many pages with 40,000 runs that wait."""
    with Store(postgres_url) as store:
        store.sync(a_schedule("daily"))
        few, many = (_pages_read(store, waiting) for waiting in (2_000, 40_000))
        assert many <= 1.5 * few


def _pages_read(store: Store, waiting: int) -> int:
    known = store.known("daily")
    digest = a_schedule("daily").run_digest()
    runs = text(
        """INSERT INTO public.run (application, schedule, scheduled_for, trigger, state, lease_name, created_at, available_at,
                                    digest, finished_at)
           SELECT 'shop', 'daily', clock_timestamp(), 'manual', s, 'run/shop/daily/' || s || n, clock_timestamp(),
                  clock_timestamp(), :digest, CASE s WHEN 'pending' THEN NULL ELSE clock_timestamp() END
           FROM generate_series(1, :waiting) AS n, unnest(ARRAY['succeeded', 'pending']) AS s"""
    )
    store.do(lambda connection: connection.execute(runs, {"waiting": waiting, "digest": digest}))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE public.run"))
    with store.begin() as connection, explained(connection) as plans:
        read_agenda(connection, "shop", known, "h1")
    ((_, plan),) = plans
    of_runs = [node for node in _nodes(plan) if node.get("Relation Name") == "run" and node["Actual Loops"]]
    assert [(node["Alias"], node.get("Filter")) for node in of_runs if node["Node Type"] == "Seq Scan"] == []
    return pages_of(plan)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def test_on_sqlite_too_it_looks_at_no_run_that_is_over(sqlite_url: str) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("daily"))
        known = store.known("daily")
        with store.begin() as connection, explained(connection) as plans:
            read_agenda(connection, "shop", known, "h1")
    steps = [step for _, plan in plans for step in plan]
    partial = (
        *("run_claim_idx", "run_start_by_idx", "run_running_idx"),
        *("run_unfinished_idx", "run_placed_idx", "run_place_idx"),
    )
    of_runs = [step for step in steps if step.startswith(("SCAN run", "SEARCH run", "SCAN at_work", "SEARCH at_work"))]
    assert of_runs
    assert [step for step in of_runs if not any(index in step for index in partial)] == []
