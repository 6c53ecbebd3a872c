"""A history that is no longer kept goes with all that belongs to it, and nothing else does: which runs, by what is kept, by
when they ended, and by what they are.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, text

import lease.statements
from daemon.definitions.schedule import Schedule
from daemon.operations.trigger import trigger
from daemon.pruning.choice import DAY, Seen, choose
from daemon.pruning.pruner import (
    LEAST_GENERATIONS,
    SILENT_IS_DEAD,
    bound,
    choose_next,
    delete_old_records,
    kept,
)
from daemon.recovery import registry
from daemon.store.statements.keeping import delete_runs, mark_pruned, pruned_until
from daemon.store.tables import act, generation, job_output, job_run, replica, run, schedule
from daemon.store.views.replicas import read_replicas
from lease.database.dialects import later, now
from lease.model import Grant
from lease.schema import lease as leases
from tests.support.completion import begun, finish_run
from tests.support.entries import own_entry
from tests.support.store import BLOCKED, TTL, Store, a_schedule, an_at
from tests.support.waiting import wait_until

BOTH = {"days": 30, "runs": 3}


def synced(store: Store, **settings: Any) -> Schedule:
    daily = a_schedule("daily", **settings)
    store.sync(daily)
    return daily


def add(store: Store, table: Table, **values: Any) -> None:
    store.do(lambda connection: connection.execute(insert(table).values(**values)))


def ran(store: Store, schedule_: Schedule, count: int, *, days_ago: float = 100.0) -> list[int]:
    """Let runs of a schedule have ended so long ago, each a minute after the one before; return them."""
    made = []
    for _ in range(count):
        store.do(trigger, "shop", schedule_.name, requested_by="ada")
        (claimed,) = store.claim(schedule_.name)
        row = {"job_run_id": begun(store, claimed, "work"), "start": 0, "line": 0, "text": "printed"}
        add(store, job_output, **row)
        store.do(finish_run, claimed, "succeeded")
        made.append(claimed.run_id)
    ended_ago(store, made, days_ago)
    return made


def ended_ago(store: Store, ids: list[int], days: float) -> None:
    for place, run_id in enumerate(ids):
        then = -days * DAY + 60.0 * place
        store.shift(run, run.c.id == run_id, created_at=then - 30, started_at=then - 20, finished_at=then)


def pruned(store: Store, name: str = "daily", application: str = "shop") -> int:
    """Prune one schedule as a replica does, while another one has a newer run; return how many runs were deleted."""
    store.sync(a_schedule("newer"), application="aside")
    store.do(trigger, "aside", "newer", requested_by="ada")
    return pruned_alone(store, name, application)


def pruned_alone(store: Store, name: str = "daily", application: str = "shop") -> int:
    keep = store.do(kept, application).get(name)
    bounded = None if keep is None else store.do(bound, application, name, keep)
    after, gone = 0, 0
    while bounded is not None:
        chosen = store.do(choose_next, bounded, after)
        gone += store.do(delete_runs, bounded.application, bounded.schedule, chosen.ids)
        if not chosen.more:
            break
        after = chosen.after
    return gone


def ids(store: Store) -> list[int]:
    return [row.id for row in store.runs(run.c.application != "aside")]


def rows_of(store: Store, *tables: Any) -> list[int]:
    return [row[0] for table in tables for row in store.rows(select(func.count()).select_from(table))]


@pytest.mark.parametrize(
    ("keep", "left"),
    [(BOTH, 3), ({"days": 30}, 0), ({"days": 101}, 5), ({"runs": 2}, 2), ({"runs": 9}, 5), (None, 5)],
    ids=str,
)
def test_what_goes_is_older_than_the_days_and_beyond_the_newest_runs(
    store: Store, keep: dict[str, int] | None, left: int
) -> None:
    daily = synced(store, keep=keep)
    made = ran(store, daily, 5)
    assert pruned(store) == 5 - left
    assert ids(store) == made[5 - left :]
    assert rows_of(store, job_run, job_output) == [left, left], "its attempts and what they printed go with it"
    assert store.lease("run/shop/daily").token == 5, "the lease of a schedule stays (rule 5)"


def test_with_both_what_ended_lately_stays_beyond_the_newest_runs_too(store: Store) -> None:
    daily = synced(store, keep=BOTH)
    made = ran(store, daily, 6)
    ended_ago(store, made[1:], 29)
    assert pruned(store) == 1
    assert ids(store) == made[1:]


def test_the_lease_of_one_run_alone_goes_with_it_unless_it_is_held(store: Store) -> None:
    """Rule 5: its name can never come back."""
    daily = synced(store, keep={"days": 30}, overlap="allow")
    gone, held = ran(store, daily, 2)
    store.do(lease.statements.grant, [f"run/shop/daily/{held}"], "zombie", TTL)
    assert pruned(store) == 1
    assert ids(store) == [held]
    there = {row.name for row in store.rows(select(leases.c.name).where(leases.c.name.like("run/shop/daily/%")))}
    assert there == {f"run/shop/daily/{held}"}
    store.go_stale(Grant(f"run/shop/daily/{held}", 2, "zombie"))
    assert pruned(store) == 1
    assert gone < held


def test_no_run_takes_the_number_of_one_that_was_pruned(store: Store) -> None:
    """A key, an act, an idempotency key and the lease of one run alone name it by its number (rules 5 and 16)."""
    daily = synced(store, keep={"days": 30}, overlap="allow")
    *_, newest = ran(store, daily, 3)
    assert pruned_alone(store) == 2
    assert ids(store) == [newest]
    assert store.do(trigger, "shop", "daily", requested_by="ada") > newest


def test_a_run_that_is_not_over_stays_however_old(store: Store) -> None:
    daily = synced(store, keep={"runs": 1}, overlap="queue")
    made = ran(store, daily, 3)
    waiting = store.do(trigger, "shop", "daily", requested_by="ada")
    newest = store.do(trigger, "shop", "daily", requested_by="ada")
    store.shift(run, run.c.id == waiting, created_at=-200 * DAY)
    assert pruned(store) == len(made)
    assert ids(store) == [waiting, newest]


def test_in_the_first_hour_after_its_end_nothing_goes(store: Store) -> None:
    daily = synced(store, keep={"runs": 1})
    ran(store, daily, 3, days_ago=0.01)
    assert pruned(store) == 0


def planned(store: Store, name: str, instants: int, *, counted: bool = False) -> list[int]:
    """Let instants of a schedule have been planned and skipped, a day apart, the last one 50 days ago."""
    values = []
    for place in range(instants):
        then = later(now(), -(50.0 + instants - 1 - place) * DAY)
        last = {"last_scheduled_for": then, "count": 9} if counted and place == instants - 1 else {}
        row = {"application": "shop", "schedule": name, "trigger": "schedule", "state": "skipped", "reason": "missed"}
        times = dict.fromkeys(("scheduled_for", "created_at", "finished_at"), then)
        values.append({**row, "lease_name": f"run/shop/{name}", **times, **last})
    return store.do(lambda c: [c.execute(insert(run).values(**row).returning(run.c.id)).scalar_one() for row in values])


def test_it_is_recorded_up_to_which_instant_runs_may_be_gone(store: Store) -> None:
    synced(store, keep={"days": 30, "runs": 2})
    made = planned(store, "daily", 5)
    asked = store.do(trigger, "shop", "daily", requested_by="ada")
    until = store.run(made[3]).scheduled_for
    assert pruned(store) == 4
    assert ids(store) == [made[4], asked]
    assert store.do(pruned_until, "shop", "daily") == until


def test_what_is_recorded_of_it_never_goes_back(store: Store) -> None:
    store.sync(a_schedule("daily"))
    at = store.schedules()["daily"].created_at
    for days, expected in ((2, 2), (1, 2), (3, 3)):
        store.do(mark_pruned, "shop", "daily", at + days * timedelta(days=1))
        assert store.do(pruned_until, "shop", "daily") == at + expected * timedelta(days=1)


def test_nor_does_it_where_two_prune_at_once(postgres: Store) -> None:
    """One that was held up lost its lease, say: what the other deletes would be taken for lost, and filled in again."""
    with ThreadPoolExecutor(1) as pool:
        postgres.sync(a_schedule("daily"))
        at = postgres.schedules()["daily"].created_at
        with postgres.begin() as ahead:
            mark_pruned(ahead, "shop", "daily", at + timedelta(days=2))
            behind = pool.submit(postgres.do, mark_pruned, "shop", "daily", at + timedelta(days=1))
            blocked = text(BLOCKED)
            wait_until(lambda: behind.done() or ahead.scalar(blocked), "the other one waits")
            assert not behind.done()
        behind.result(60)
        assert postgres.do(pruned_until, "shop", "daily") == at + timedelta(days=2)


def test_of_what_was_requested_no_instant_is_pruned(store: Store) -> None:
    daily = synced(store, keep={"days": 30})
    ran(store, daily, 2)
    assert pruned(store) == 2
    assert store.do(pruned_until, "shop", "daily") is None


def test_the_counted_row_of_the_present_stretch_stays_and_goes_with_the_next(store: Store) -> None:
    """Planning extends it (rule 13)."""
    synced(store, keep={"days": 30})
    *_, counted = planned(store, "daily", 4, counted=True)
    first = select(run.c.scheduled_for).where(run.c.id == counted).scalar_subquery()
    store.change(schedule, stretch_reason="missed", stretch_count=1009, stretch_from=first)
    assert pruned(store) == 3
    assert ids(store) == [counted]
    store.change(schedule, stretch_reason=None, stretch_count=None, stretch_from=None)
    assert pruned(store) == 1


def test_a_pruned_instant_is_not_planned_again(store: Store) -> None:
    """Rule 13."""
    once = an_at("once", keep={"days": 30})
    store.sync(once)
    store.plan(once)
    (row,) = store.runs()
    store.change(run, state="skipped", reason="missed", finished_at=now())
    ended_ago(store, [row.id], 100)
    assert pruned(store, "once") == 1
    assert store.do(pruned_until, "shop", "once") == row.scheduled_for
    store.sync(a_schedule("other"))
    store.sync(once.model_copy(update={"at": once.at, "description": "a changed definition"}))
    store.shift(schedule, schedule.c.name == "once", next_due=-1.0)
    store.plan(once)
    assert ids(store) == []


def test_only_the_schedule_of_this_application_is_pruned(store: Store) -> None:
    mine, other = a_schedule("daily", keep={"days": 30}), a_schedule("other", keep={"days": 30})
    store.sync(mine, other)
    store.sync(a_schedule("daily", keep={"days": 30}), application="mill")
    gone = ran(store, mine, 2)
    left = ran(store, other, 2)
    assert pruned(store, application="mill") == 0
    assert pruned(store) == len(gone)
    assert ids(store) == left


def test_a_definition_that_cannot_be_read_keeps_all(store: Store) -> None:
    store.sync(a_schedule("daily", keep={"days": 30}))
    for keep in ('{"days": 0}', '{"weeks": 4}', '{"days": 30', "{}"):
        store.change(schedule, definition=f'{{"name": "daily", "keep": {keep}}}')
        assert store.do(kept, "shop") == {}


def test_a_retired_schedule_is_pruned_as_it_last_said(store: Store) -> None:
    daily = synced(store, keep={"days": 30})
    ran(store, daily, 2)
    store.sync(a_schedule("other"))
    assert pruned(store) == 2


def test_a_look_ends_where_a_step_does_and_goes_on_behind_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.pruning.pruner.MOST_RUNS", 2)
    daily = synced(store, keep={"days": 30})
    waiting = ran(store, daily, 7)[0]
    store.change(run, run.c.id == waiting, state="pending", finished_at=None, token=None, holder=None)
    assert pruned(store) == 6
    assert ids(store) == [waiting]


# What others have locked is left for later


def test_nothing_waits_for_a_locked_row(postgres: Store) -> None:
    locks: dict[str, Callable[[int], Any]] = {
        "its run": lambda one: select(run.c.id).where(run.c.id == one),
        "an attempt of it": lambda one: select(job_run.c.id).where(job_run.c.run_id == one),
        "its lease": lambda one: select(leases.c.name).where(leases.c.name == f"run/shop/daily/{one}"),
    }
    daily = synced(postgres, keep={"days": 30}, overlap="allow")
    for what, rows in locks.items():
        first, second = ran(postgres, daily, 2)
        with postgres.begin() as other:
            other.execute(rows(first).with_for_update())
            assert (pruned(postgres), ids(postgres)) == (1, [first]), what
        assert pruned(postgres) == 1, what
        assert second > first


def test_what_tried_a_run_again_stays_as_long_as_that_one(postgres: Store) -> None:
    """Without it the run would seem to be tried by none, and what had succeeded would be done once more."""
    daily = synced(postgres, keep={"days": 30})
    made = ran(postgres, daily, 4)
    postgres.change(run, run.c.id == made[0], state="failed", reason="no more shops")
    for again, before in ((made[1], made[0]), (made[2], made[1])):
        postgres.change(run, run.c.id == again, retry_of=before)
    with postgres.begin() as other:
        other.execute(select(run.c.id).where(run.c.id == made[0]).with_for_update(read=True, key_share=True))
        assert (pruned(postgres), ids(postgres)) == (1, made[:3])
    assert (pruned(postgres), ids(postgres)) == (3, [])


def test_neither_waits_for_who_locks_the_schedule_nor_holds_up_a_request(postgres: Store) -> None:
    """A request locks its schedule (rule 15), and would wait for each step."""
    postgres.sync(a_schedule("daily", keep={"days": 30}))
    planned(postgres, "daily", 3)
    bounded = postgres.do(bound, "shop", "daily", {"days": 30})
    assert bounded is not None
    with postgres.begin() as pruner, postgres.begin() as other:
        chosen = choose_next(pruner, bounded, 0)
        other.execute(text("SET LOCAL lock_timeout = '1s'"))
        trigger(other, "shop", "daily", requested_by="ada")
        assert delete_runs(pruner, "shop", "daily", chosen.ids) == 2
    with postgres.begin() as other:
        other.execute(select(schedule).with_for_update(key_share=True))
        assert pruned(postgres) == 1


# What else is old


def test_acts_go_after_four_hundred_days(store: Store) -> None:
    for days in (401, 399):
        row = {"acted_by": "ada", "act": "cancel", "application": "shop", "acted_at": later(now(), -days * DAY)}
        add(store, act, **row)
    assert store.do(delete_old_records, "shop") is False
    assert rows_of(store, act) == [1]
    assert store.do(delete_old_records, "shop") is False
    assert rows_of(store, act) == [1]


def test_a_replica_that_has_been_silent_for_long_is_recorded_as_dead_and_lives_again_when_it_is_seen(
    store: Store,
) -> None:
    for holder in ("silent", "seen"):
        store.do(registry.register, own_entry(holder, "shop"))
    for holder, seconds in (("silent", -SILENT_IS_DEAD - 1), ("seen", -SILENT_IS_DEAD + 60)):
        store.shift(replica, replica.c.holder == holder, seen_at=seconds)
    store.do(delete_old_records, "shop")
    states = select(replica.c.holder, replica.c.state).order_by(replica.c.holder)
    assert [tuple(row) for row in store.rows(states)] == [("seen", "running"), ("silent", "dead")]
    assert [one.holder for one in store.do(read_replicas)] == ["seen"]
    assert store.do(registry.touch, "silent")
    assert [tuple(row) for row in store.rows(states)] == [("seen", "running"), ("silent", "running")]


def test_of_generations_the_newest_fifty_stay_and_all_by_which_somebody_goes(store: Store) -> None:
    waits = a_schedule("waits")
    store.sync(waits)
    run_id = store.do(trigger, "shop", "waits", requested_by="ada")
    digest = store.run(run_id).digest
    number = LEAST_GENERATIONS + 5
    for place in range(1, number + 1):
        used = {2: digest}.get(place, f"run digest {place}")
        row = {
            "application": "shop",
            "number": place,
            "digest": f"digest {place}",
            "brought_by": "ada",
            "came_at": later(now(), -200 * DAY),
            "superseded_at": later(now(), -(80 if place == 4 else 100) * DAY),
            "ruled_at": later(now(), -200 * DAY),
            "rules": place == 1,
            "in_lieu": False,
            "run_digests": json.dumps({"waits": [used, "all"]}),
        }
        add(store, generation, **row)
    store.do(registry.register, own_entry("h", "shop", "digest 3"))
    store.change(replica, state="dead")
    store.do(delete_old_records, "shop")
    left = sorted(row.number for row in store.rows(select(generation.c.number)))
    assert left == [1, 2, 3, 4, *range(6, number + 1)], "the ruler, a run's, a replica's, a late one, the newest"


# Which runs go


NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


OLD = Seen(1, scheduled=True, last=NOON, created_for=41 * DAY, ended_for=40 * DAY, goes_on=False)


def test_it_goes_on_behind_the_last_one_while_there_may_be_more_that_ended_so_long_ago() -> None:
    seen = [replace(OLD, id=3), replace(OLD, id=8)]
    assert (choose(seen, 30 * DAY, 0, 2).more, choose(seen, 30 * DAY, 0, 2).after) == (True, 8)
    assert not choose(seen, 30 * DAY, 0, 3).more, "there were no others"
    young = [replace(OLD, id=3), replace(replace(OLD, id=8), created_for=29 * DAY, ended_for=1.0)]
    assert not choose(young, 30 * DAY, 0, 2).more, "none behind it can have ended so long ago"
    assert choose([], 30 * DAY, 7, 2).after == 7
