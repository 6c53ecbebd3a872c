"""Many runs cancelled and retried at once: those that were shown, each once, in few statements (rule 23)."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from daemon.errors import NotFound
from daemon.operations.cancel import (
    MOST_AT_ONCE,
    CancelledRun,
    cancel,
    cancel_many,
    find_unfinished,
    in_transactions,
)
from daemon.operations.retry import RetriedRun, find_failed, retry, retry_many
from daemon.operations.selection import Selection
from daemon.operations.trigger import trigger
from daemon.store.statements.schedule import database_time
from daemon.store.tables import act, run
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule, pending_runs, statements_on

DAY = 24 * 3600.0
FREE = a_schedule("free", overlap="allow", tags=["night"])
QUEUE = a_schedule("queue", overlap="queue", tags=["night"])
OTHER = a_schedule("other", overlap="queue")
NIGHT = Selection(tag="night")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(FREE, QUEUE, OTHER)
    return store


def triggered(store: Store, name: str, count: int = 1) -> list[int]:
    return [store.do(trigger, "shop", name, requested_by="ada") for _ in range(count)]


def failed(store: Store, name: str, count: int = 1) -> list[int]:
    ids = triggered(store, name, count)
    while claimed := store.claim(name, limit=100):
        for one in claimed:
            store.do(finish_run, one, "failed", "no more shops")
    return ids


def cancelled(store: Store, runs: Sequence[CancelledRun], who: str = "bob") -> list[CancelledRun]:
    return store.do(cancel_many, runs, requested_by=who)


def retried(store: Store, runs: Sequence[RetriedRun], who: str = "bob") -> list[RetriedRun]:
    return store.do(retry_many, runs, requested_by=who)


def statements_of(store: Store, unit: Callable[..., Any], *args: Any, **named: Any) -> int:
    """Return how many statements a unit takes."""
    with store.begin() as connection, statements_on(connection) as sent:
        unit(connection, *args, **named)
    return len(sent)


def acts(store: Store, what: str) -> list[tuple[str, str | None, str | None]]:
    rows = store.rows(act.select().where(act.c.act == what).order_by(act.c.schedule, act.c.id))
    return [(row.schedule, row.why, row.effect) for row in rows]


# Cancels


def test_what_waits_ends_and_what_is_at_work_is_marked(store: Store) -> None:
    triggered(store, "free", 5)
    triggered(store, "queue", 4)
    kept = triggered(store, "other")
    at_work = {one.run_id for one in (*store.claim("free", limit=2), *store.claim("queue"))}
    shown = store.do(find_unfinished, NIGHT)
    done = store.do(cancel_many, shown, requested_by="bob", why="wrong file")
    assert Counter(one.outcome for one in done) == {"ended": 6, "marked": 3}
    assert [(one.run_id, one.outcome) for one in sorted(shown, key=lambda one: one.run_id)] == [
        (one.run_id, one.outcome) for one in done
    ], "what was shown is what came of it"
    for row in store.runs(run.c.schedule != "other"):
        assert (row.cancelled_by, row.cancelled_why) == ("bob", "wrong file")
        assert row.state == ("running" if row.id in at_work else "cancelled")
    assert [row.id for row in store.runs(run.c.cancelled_at.is_(None))] == kept
    assert store.claim("free", "queue") == []
    assert acts(store, "cancel") == [
        ("free", "wrong file", "3 waiting runs ended, cancelling 2 running runs"),
        ("queue", "wrong file", "3 waiting runs ended, cancelling 1 running run"),
    ]


def test_what_was_planned_since_it_was_shown_goes_on(store: Store) -> None:
    triggered(store, "queue", 3)
    shown = store.do(find_unfinished, Selection(name="queue"))
    (later,) = triggered(store, "queue")
    cancelled(store, shown)
    assert [one.run_id for one in store.claim("queue")] == [later]


def test_of_a_queue_in_several_parts_nobody_goes_ahead_who_goes_too(store: Store) -> None:
    ids = triggered(store, "queue", 6)
    shown = store.do(find_unfinished, Selection(name="queue"))
    assert [one.run_id for one in shown] == ids[::-1]
    cancelled(store, shown[:3])
    assert {row.id for row in store.runs(run.c.available_at.is_not(None))} == {ids[0]}


def test_what_is_at_work_comes_last_so_that_none_of_the_others_takes_its_place(store: Store) -> None:
    first, second, *rest = triggered(store, "free", 6)
    store.claim("free", limit=2)
    store.shift(run, run.c.id == second, scheduled_for=60.0)
    shown = store.do(find_unfinished, Selection(name="free"))
    assert [one.run_id for one in shown] == [*rest[::-1], second, first]


def test_many_are_cancelled_in_as_many_statements_as_few(store: Store) -> None:
    def taken(count: int) -> int:
        pending_runs(store, FREE, count)
        pending_runs(store, QUEUE, count, available_at=None)
        shown = store.do(find_unfinished, NIGHT)
        assert len(shown) == 2 * count
        return statements_of(store, cancel_many, shown, requested_by="bob")

    assert taken(2) == taken(300)
    assert {row.state for row in store.runs()} == {"cancelled"}


def test_the_second_cancel_of_many_does_nothing_and_says_so(store: Store) -> None:
    triggered(store, "free", 4)
    (held,) = store.claim("free", limit=1)
    shown = store.do(find_unfinished, NIGHT)
    cancelled(store, shown)
    before = store.everything()
    assert {one.outcome for one in cancelled(store, shown, "eve")} == {"already"}
    assert [(one.run_id, one.outcome) for one in store.do(find_unfinished, NIGHT)] == [(held.run_id, "already")]
    assert store.everything() == before
    store.do(finish_run, held, "succeeded")
    assert {row.state for row in store.runs()} == {"cancelled"}, "undone by nobody"


def test_a_run_that_ended_since_it_was_shown_is_told_and_left_as_it_is(store: Store) -> None:
    triggered(store, "free", 2)
    (held,) = store.claim("free", limit=1)
    shown = store.do(find_unfinished, NIGHT)
    store.do(finish_run, held, "succeeded")
    assert {one.run_id: one.outcome for one in cancelled(store, shown)}[held.run_id] == "over"
    assert store.run(held.run_id).state == "succeeded"


# Retries


def test_all_that_failed_and_were_not_retried_are_tried_again_once(store: Store) -> None:
    ids = [*failed(store, "free", 4), *failed(store, "queue", 3)]
    before = store.do(retry, ids[0], requested_by="ada").run_id
    (claimed,) = store.claim("free")
    store.do(finish_run, claimed, "failed", "again")
    failed(store, "other")
    shown = store.do(find_failed, NIGHT, DAY)
    assert sorted(one.run_id for one in shown) == [*ids[1:], before], "of a run that was retried only the last counts"
    done = store.do(retry_many, shown, requested_by="bob", why="the disk is there again")
    assert {one.outcome for one in done} == {"retried"}
    made = {row.retry_of: row for row in store.runs(run.c.requested_by == "bob")}
    assert {one.run_id: one.retried_as for one in done} == {of: row.id for of, row in made.items()}
    assert [row.lease_name for row in made.values() if row.schedule == "free"] == [
        f"run/shop/free/{row.id}" for row in made.values() if row.schedule == "free"
    ]
    assert [row.available_at is None for row in made.values() if row.schedule == "queue"] == [False, True, True]
    assert len(store.claim("free", "queue")) == 5
    assert acts(store, "retry")[1:] == [
        ("free", "the disk is there again", "4 failed runs"),
        ("queue", "the disk is there again", "3 failed runs"),
    ]


def test_a_success_of_its_schedule_since_then_does_not_make_up_for_a_failed_run(store: Store) -> None:
    (first,) = failed(store, "queue")
    triggered(store, "queue")
    (claimed,) = store.claim("queue")
    store.do(finish_run, claimed, "succeeded")
    assert [one.run_id for one in store.do(find_failed, NIGHT, DAY)] == [first]


@pytest.mark.on_both
def test_what_failed_before_that_time_or_belongs_to_a_retired_schedule_is_not_meant(store: Store) -> None:
    long_ago, lately = failed(store, "free", 2)
    store.shift(run, run.c.id == long_ago, finished_at=-7200.0)
    failed(store, "queue")
    store.sync(FREE, OTHER)
    assert [one.run_id for one in store.do(find_failed, Selection(), 3600.0)] == [lately]


def test_many_are_retried_in_as_many_statements_as_few(store: Store) -> None:
    def taken(count: int) -> int:
        ended: dict[str, Any] = {
            "state": "failed",
            "reason": "no",
            "finished_at": store.do(database_time),
            "available_at": None,
        }
        for schedule in (FREE, QUEUE):
            pending_runs(store, schedule, count, **ended)
        shown = store.do(find_failed, NIGHT, DAY)
        assert len(shown) == 2 * count
        return statements_of(store, retry_many, shown, requested_by="bob")

    assert taken(2) == taken(300)
    assert len(store.runs(run.c.retry_of.is_not(None))) == 604


def test_of_what_cannot_be_retried_each_says_why_and_the_others_are(store: Store) -> None:
    gone, stays = failed(store, "free"), failed(store, "queue")
    shown = store.do(find_failed, NIGHT, DAY)
    store.sync(QUEUE, OTHER)
    done = {one.run_id: one for one in retried(store, shown)}
    assert done[stays[0]].outcome == "retried"
    left = done[gone[0]]
    assert left.outcome == "left out"
    assert left.why is not None
    assert left.why.startswith('the schedule "free" was retired by a deploy at ')
    assert left.why.endswith(f"; define it again to retry run {gone[0]}")


# Both


@pytest.mark.parametrize("what", ["cancel", "retry"])
def test_of_two_callers_at_once_each_run_is_done_once_and_both_are_told(store: Store, what: str) -> None:
    together = Barrier(2)
    if what == "cancel":
        triggered(store, "free", 40)
    else:
        failed(store, "free", 40)
        failed(store, "queue", 3)
    shown: Any = store.do(find_unfinished, NIGHT) if what == "cancel" else store.do(find_failed, NIGHT, DAY)

    def call(who: str) -> Counter[str]:
        together.wait()
        return Counter(one.outcome for one in (cancelled if what == "cancel" else retried)(store, shown, who))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(call, ["bob", "eve"])
    count = len(shown)
    done = "ended" if what == "cancel" else "retried"
    assert sorted([one[done], other[done]]) == [0, count]
    assert sorted([one["already"], other["already"]]) == [0, count]
    if what == "retry":
        assert sorted(row.retry_of for row in store.runs(run.c.retry_of.is_not(None))) == [
            one.run_id for one in sorted(shown, key=lambda one: one.run_id)
        ]


def test_with_single_cancels_and_claims_in_between_nothing_is_lost_or_blocked(store: Store) -> None:
    ids = triggered(store, "free", 60)
    shown = store.do(find_unfinished, NIGHT)
    with ThreadPoolExecutor(3) as pool:
        claiming = pool.submit(lambda: [one for _ in range(10) for one in store.claim("free", limit=3)])
        single = pool.submit(lambda: [store.do(cancel, run_id, requested_by="eve") for run_id in ids[:10]])
        many = pool.submit(cancelled, store, shown)
        claimed = {one.run_id for one in claiming.result()}
        single.result()
        assert len(many.result()) == 60
    assert {row.id for row in store.runs(run.c.state == "running")} == claimed
    assert {row.id for row in store.runs(run.c.state == "cancelled")} == set(ids) - claimed
    assert len(store.runs(run.c.cancelled_at.is_not(None))) == 60


def test_parts_are_transactions_of_at_most_so_many_runs(store: Store) -> None:
    pending_runs(store, FREE, 1)
    (one,) = store.do(find_unfinished, NIGHT)
    assert [len(part) for part in in_transactions([one] * (MOST_AT_ONCE + 1))] == [MOST_AT_ONCE, 1]
    assert list(in_transactions([])) == []


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Selection(name="fre"), 'there is no schedule "fre"; did you mean "free"'),
        (Selection(tag="nigth"), 'no schedule has the tag "nigth"; did you mean "night"'),
        (Selection(tag="night", application="shpo"), 'there is no application "shpo"; did you mean "shop"'),
        (Selection(name="nothing", application="shop"), 'there is no schedule "nothing" of "shop"; there are free'),
    ],
)
def test_a_name_that_is_not_there_is_an_error_with_the_nearest(store: Store, choice: Selection, said: str) -> None:
    with pytest.raises(NotFound, match=said):
        store.do(find_unfinished, choice)
    with pytest.raises(NotFound, match=said):
        store.do(find_failed, choice, DAY)
