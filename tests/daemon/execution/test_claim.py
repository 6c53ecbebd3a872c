"""Claiming waits for nothing, starves nobody, and gives no run to two (rules 4, 14 and 17)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text

import lease.statements
from daemon.definitions.application import Known
from daemon.definitions.schedule import Schedule
from daemon.execution.claim import ClaimedRun, claim
from daemon.jobs.reports import Outcome
from daemon.operations.trigger import trigger
from daemon.service.waking.idle_wait import read_agenda
from daemon.states import MOST_ABANDONED
from daemon.store import statements
from daemon.store.statements.claims import Candidate
from daemon.store.tables import run, schedule
from tests.support.completion import EndedJob, begun, finish_run, retry_run
from tests.support.store import TTL, Store, a_schedule, explained, pages_of, pending_runs


def waiting(store: Store, *schedules: Schedule, each: int = 1) -> list[str]:
    """Let so many runs of each of these schedules wait; return their names."""
    store.sync(*schedules)
    for one in schedules:
        pending_runs(store, one, each)
    return [one.name for one in schedules]


def test_a_claim_brings_run_grant_and_params_together(store: Store) -> None:
    daily = a_schedule("daily", params={"shop": 7})
    store.sync(daily)
    run_id = store.do(trigger, "shop", "daily", requested_by="ada")
    store.shift(run, available_at=-500.0)
    since = store.run(run_id).available_at
    (claimed,) = store.claim("daily")
    row, held = store.run(run_id), store.lease("run/shop/daily")
    assert (row.state, row.token, row.holder, row.attempt) == ("running", 1, "h1", 1)
    assert (held.token, held.holder, held.label) == (1, "h1", "label of h1")
    assert claimed == ClaimedRun(
        run_id=run_id,
        application="shop",
        schedule="daily",
        scheduled_for=row.scheduled_for,
        occurrence=run_id,
        grant=lease.Grant("run/shop/daily", 1, "h1"),
        attempt=1,
        params={"shop": 7},
        jobs={},
    )
    assert claimed.waited == pytest.approx((row.started_at - since).total_seconds(), abs=1.0)
    assert claimed.waited > 400
    assert store.claim("daily", holder="h2") == []


def test_schedules_that_this_replica_does_not_know_are_left(store: Store) -> None:
    """Rule 17."""
    waiting(store, a_schedule("known"), a_schedule("unknown"))
    store.sync(a_schedule("known"), application="other")
    pending_runs(store, a_schedule("known"), 1, application="other")
    assert [(one.application, one.schedule) for one in store.claim("known")] == [("shop", "known")]


def test_runs_under_live_leases_are_not_even_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = [a_schedule(f"locked{number}", lock=f"lock{number}") for number in range(50)]
    names = waiting(store, *locked, a_schedule("free"))
    store.do(lease.statements.grant, [f"lock{number}" for number in range(50)], "somebody", TTL)
    looks: list[list[Candidate]] = []
    candidates = statements.claims.candidates

    def counted(*args: Any, **kwargs: Any) -> list[Candidate]:
        looks.append(candidates(*args, **kwargs))
        return looks[-1]

    monkeypatch.setattr(statements.claims, "candidates", counted)
    assert [one.schedule for one in store.claim(*names, limit=1)] == ["free"]
    assert len(looks) == 1


def test_many_runs_of_one_lease_leave_places_for_others(store: Store) -> None:
    """Rule 4: at most one run a lease."""
    locked = a_schedule("locked", lock="warehouse")
    free = [a_schedule(f"free{number}") for number in range(10)]
    store.sync(locked, *free)
    pending_runs(store, locked, 50)
    for one in free:
        pending_runs(store, one, 1)
    claimed = store.claim("locked", *(one.name for one in free), limit=5)
    assert [one.schedule for one in claimed] == ["locked", "free0", "free1", "free2", "free3"]


def test_two_claimers_at_once_never_get_the_same_run(store: Store) -> None:
    names = waiting(store, *(a_schedule(f"s{number}") for number in range(60)))

    def claim_all(holder: str) -> list[ClaimedRun]:
        claimed: list[ClaimedRun] = []
        while got := store.claim(*names, holder=holder, limit=7):
            claimed += got
        return claimed

    with ThreadPoolExecutor(4) as pool:
        of_each = list(pool.map(claim_all, ["h1", "h2", "h3", "h4"]))
    while got := store.claim(*names, holder="h5"):  # what one had locked when the others looked
        of_each.append(got)
    claimed = [one.run_id for of_one in of_each for one in of_one]
    assert sorted(claimed) == sorted(row.id for row in store.runs())
    assert all(row.state == "running" and row.token == 1 for row in store.runs())


def test_claimers_of_runs_with_leases_never_seen_before_do_not_deadlock(store: Store) -> None:
    store.sync(a_schedule("poll", overlap="allow"))
    poll = a_schedule("poll", overlap="allow")
    pending_runs(store, poll, 60)
    store.do(statements.run.name_leases, "shop", "poll", "run/shop/poll", None, per_run=True, digest=poll.run_digest())
    with ThreadPoolExecutor(4) as pool:
        of_each = list(pool.map(lambda holder: store.claim("poll", holder=holder, limit=15), ["h1", "h2", "h3", "h4"]))
    ids = [one.run_id for of_one in of_each for one in of_one]
    assert len(set(ids)) == len(ids)


def test_a_claim_passes_over_a_run_and_a_lease_that_are_locked(postgres: Store) -> None:
    """Rule 4: without waiting, which the time that a statement may take proves."""
    schedules = [a_schedule(name) for name in ("run-locked", "lease-locked", "free")]
    waiting(postgres, *schedules)

    def hurried(connection: Connection) -> list[ClaimedRun]:
        connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
        return claim(connection, "shop", Known({one.name: one.run_digest() for one in schedules}), "h1", None, TTL, 1)

    with postgres.begin() as connection:
        connection.execute(text("SELECT FROM public.run WHERE schedule = 'run-locked' FOR UPDATE"))
        connection.execute(text("SELECT FROM public.lease WHERE name = 'run/shop/lease-locked' FOR UPDATE"))
        assert [one.schedule for one in postgres.do(hurried)] == ["free"]


def test_a_claim_passes_over_a_stale_lease_that_is_fenced(postgres: Store) -> None:
    """Rule 11: an open fenced transaction holds off the successor, and only that one."""
    fenced, free = a_schedule("fenced", lock="warehouse"), a_schedule("free")
    postgres.sync(fenced, free)
    (grant,) = postgres.do(lease.statements.grant, ["warehouse"], "somebody", TTL)
    postgres.go_stale(grant)
    pending_runs(postgres, fenced, 150)
    pending_runs(postgres, free, 1)
    with postgres.begin() as connection:
        lease.statements.fence(connection, grant)
        assert [one.schedule for one in postgres.claim("fenced", "free", limit=1)] == ["free"]
    assert [one.schedule for one in postgres.claim("fenced", "free", limit=1)] == ["fenced"]


def test_a_lease_that_was_granted_since_the_claim_looked_is_not_granted_again(
    postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 4: it is looked at again under its lock."""
    left, right = (a_schedule(name, lock="shared") for name in ("left", "right"))
    waiting(postgres, left, right)
    look = statements.claims.candidates
    others: list[ClaimedRun] = []

    def looks(*args: Any, **kwargs: Any) -> list[Candidate]:
        found = look(*args, **kwargs)
        monkeypatch.setattr(statements.claims, "candidates", look)
        others.extend(postgres.claim("left", "right", holder="h2", limit=1))
        return found

    monkeypatch.setattr(statements.claims, "candidates", looks)
    assert postgres.claim("left", "right", holder="h1", limit=1) == []
    assert [one.grant.token for one in others] == [1]


def test_a_grant_whose_run_was_gone_is_let_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else would ever end it."""
    waiting(store, a_schedule("daily"))
    with monkeypatch.context() as patched:
        patched.setattr(statements.claims, "start", lambda *_: [])
        assert store.claim("daily") == []
    held = store.lease("run/shop/daily")
    assert (held.holder, held.token) == (None, 1)
    assert [one.grant.token for one in store.claim("daily")] == [2]


def test_the_attempts_of_a_job_that_has_moved_in_the_definition_are_counted_on(store: Store) -> None:
    poll = a_schedule("poll", jobs=("extract", "load"))
    store.sync(poll)
    pending_runs(store, poll, 1)
    for attempt, position in ((1, 1), (2, 0), (3, 4)):
        (claimed,) = store.claim("poll")
        (number,) = [done.next_attempt for done in claimed.jobs.values()] or [1]
        assert number == attempt
        job = EndedJob(begun(store, claimed, "load", position), Outcome("failed", "no"))
        store.do(retry_run, claimed, 0.0, job=job)
    (claimed,) = store.claim("poll")
    assert [(done.failures, done.next_attempt) for done in claimed.jobs.values()] == [(3, 4)]


def test_the_claim_uses_its_partial_index_however_long_the_history(postgres: Store) -> None:
    """Rule 14: flat as history grows."""
    daily = a_schedule("daily")
    postgres.sync(daily)
    pending_runs(postgres, daily, 3)
    history = text(
        """INSERT INTO public.run (application, schedule, scheduled_for, trigger, state, lease_name, created_at,
                                   started_at, finished_at, available_at, token, holder, attempt)
           SELECT 'shop', 'daily', clock_timestamp() - n * interval '1 minute', 'schedule', 'succeeded', 'run/shop/daily',
                  clock_timestamp(), clock_timestamp(), clock_timestamp(), clock_timestamp(), n, 'h', 1
           FROM generate_series(1, 100000) AS n"""
    )
    postgres.do(lambda connection: connection.execute(history))
    with postgres.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE public.run"))
    with postgres.begin() as connection, explained(connection) as plans:
        statements.claims.candidates(connection, "shop", [], "h1", [], 10)
    ((_, plan),) = plans
    assert "run_claim_idx" in str(plan)
    assert pages_of(plan) < 50
    assert len(postgres.claim("daily")) == 1


# Runs on their last chance (rule 16)


def abandoned_before(store: Store, times: int, *names: str) -> None:
    """Let there be a pending run of each of these schedules, whose attempts were abandoned so many times."""
    waiting(store, *(a_schedule(name) for name in names))
    store.change(run, run.c.schedule.in_(names), abandoned=times)


def test_of_runs_abandoned_twice_one_is_at_work_in_a_replica(store: Store) -> None:
    names = ("one", "two", "three")
    abandoned_before(store, MOST_ABANDONED - 1, *names)
    (first,) = store.claim(*names)
    assert store.claim(*names) == []
    (elsewhere,) = store.claim(*names, holder="h2")
    assert store.claim(*names, holder="h2") == []
    store.do(finish_run, first, "succeeded")
    (last,) = store.claim(*names)
    assert {first.schedule, elsewhere.schedule, last.schedule} == set(names)


def test_a_run_on_its_last_chance_whose_lease_is_fenced_keeps_no_other_waiting(postgres: Store) -> None:
    """An open transaction of whoever had the lease holds off its successor, and only that one (rule 11)."""
    names = ("one", "two", "three")
    abandoned_before(postgres, MOST_ABANDONED - 1, *names)
    (grant,) = postgres.do(lease.statements.grant, ["run/shop/one"], "somebody", TTL)
    postgres.go_stale(grant)
    with postgres.begin() as connection:
        lease.statements.fence(connection, grant)
        assert [one.schedule for one in postgres.claim(*names)] == ["two"]
        assert [one.schedule for one in postgres.claim(*names, holder="h2")] == ["three"]
    assert [one.schedule for one in postgres.claim(*names, holder="h3")] == ["one"]


def test_runs_on_their_last_chance_take_no_place_of_others(store: Store) -> None:
    names = [f"twice{number}" for number in range(20)]
    abandoned_before(store, MOST_ABANDONED - 1, *names)
    store.sync(*(a_schedule(name) for name in [*names, "fresh", "once"]))
    for name in ("fresh", "once"):
        pending_runs(store, a_schedule(name), 1)
    store.change(run, run.c.schedule == "once", abandoned=1)
    for limit, expected in ((2, {"fresh"}), (10, {"once"})):
        claimed = {one.schedule for one in store.claim(*names, "fresh", "once", limit=limit)}
        assert claimed - set(names) == expected
        assert len(claimed & set(names)) == (limit == 2)


def test_a_new_run_of_a_schedule_that_ended_replicas_is_on_its_last_chance_too(store: Store) -> None:
    """Otherwise each of its runs would take innocent ones with it."""
    waiting(store, a_schedule("killer"), a_schedule("other"))
    ended = {"abandoned": MOST_ABANDONED - 1}
    store.change(schedule, schedule.c.name == "killer", **ended)
    store.change(run, run.c.schedule == "other", **ended)
    first, second = store.claim("killer", "other"), store.claim("killer", "other", holder="h2")
    assert {one.schedule for one in (*first, *second)} == {"killer", "other"}
    assert len(first) == len(second) == 1


def test_runs_of_definitions_that_are_strange_are_met_once_and_left_out_from_then_on(store: Store) -> None:
    """Rule 22; of its own there may be thousands, so a claim does not name them."""
    ours, theirs = [a_schedule(f"s{number}") for number in range(30)], [a_schedule("theirs"), a_schedule("changed")]
    waiting(store, *theirs, *ours)  # theirs are the first in the order of the index
    known = Known({**{one.name: one.run_digest() for one in ours}, "changed": "as it is here"})

    def claimed(limit: int) -> tuple[list[str], int]:
        searches: list[str] = []
        with pytest.MonkeyPatch.context() as patched:
            candidates = statements.claims.candidates

            def counted(*args: Any, **kwargs: Any) -> list[Candidate]:
                searches.append("a search")
                return candidates(*args, **kwargs)

            patched.setattr(statements.claims, "candidates", counted)
            runs = store.do(claim, "shop", known, "h1", None, TTL, limit)
        return [one.schedule for one in runs], len(searches)

    assert known.other_digests == []
    assert claimed(2) == (["s0", "s1"], 2), "the first search met them"
    assert sorted(known.other_digests) == sorted(one.run_digest() for one in theirs)
    assert claimed(2) == (["s2", "s3"], 1)
    assert {row.schedule for row in store.runs(run.c.state == "pending")} >= {"theirs", "changed"}


def test_what_must_wait_for_its_like_is_not_available_here(store: Store) -> None:
    """So that a replica rests meanwhile."""
    abandoned_before(store, MOST_ABANDONED - 1, "one", "two")
    known = store.known("one", "two")
    before = store.do(read_agenda, "shop", known, "h1")
    store.claim("one", "two")
    here, there = (store.do(read_agenda, "shop", known, holder) for holder in ("h1", "h2"))
    assert (before.available, here.available, there.available) == (True, False, True)
    assert (here.pending, here.available, here.until_available) == (True, False, None)
