"""`overlap = "replace"`: the newest run wins, and starts when the work of the older one has ended (rules 13, 14 and 23)."""

from datetime import UTC, datetime

import pytest

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every
from daemon.execution.claim import ClaimedRun
from daemon.operations.trigger import trigger
from daemon.scheduling.plan import jitter
from daemon.scheduling.plan_due import place
from daemon.store.tables import run, schedule
from daemon.store.views.causes import Replaced, WaitsForRun
from daemon.store.views.history import read_run, read_runs
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
POLL = a_schedule("poll", Every(600.0), overlap="replace")


@pytest.fixture
def store(store: Store) -> Store:
    store.sync(POLL)
    return store


def due(store: Store, seconds: float, of: Schedule = POLL) -> None:
    """Plan an instant of a schedule, each time of another one: they are ``seconds`` old."""
    store.shift(schedule, schedule.c.name == of.name, planned_until=-seconds - 1, anchor=-seconds, next_due=-seconds)
    store.change(schedule, schedule.c.name == of.name, stretch_reason=None, stretch_count=None)
    store.plan(of)


def claimed_run(store: Store, seconds: float = 19.0) -> ClaimedRun:
    due(store, seconds)
    (claimed,) = store.claim("poll")
    return claimed


def states(store: Store) -> list[str]:
    return [row.state for row in store.runs()]


def test_a_run_at_work_is_marked_and_the_newer_one_starts_when_it_has_ended(store: Store) -> None:
    claimed = claimed_run(store)
    due(store, 9.0)
    older, newer = store.runs()
    assert (older.state, older.cancelled_by, older.cancelled_why) == (
        "running",
        "leased",
        f"replaced by run {newer.id}",
    )
    assert older.cancelled_at is not None
    assert (newer.state, newer.available_at) == ("pending", None)
    assert store.claim("poll", holder="h2") == []

    store.do(finish_run, claimed, "succeeded")
    older = store.run(older.id)
    assert older.state == "cancelled"
    assert older.reason == f"cancelled by leased: replaced by run {newer.id}; by then all of its jobs had succeeded"
    assert [one.run_id for one in store.claim("poll", holder="h2")] == [newer.id]


def test_runs_that_wait_end_at_once(store: Store) -> None:
    due(store, 19.0)
    due(store, 9.0)
    older, newer = store.runs()
    assert (older.state, older.reason) == ("cancelled", f"cancelled by leased: replaced by run {newer.id}")
    assert [one.run_id for one in store.claim("poll")] == [newer.id]


def test_of_several_that_wait_behind_a_run_at_work_only_the_newest_is_left(store: Store) -> None:
    claimed = claimed_run(store, 19.0)
    for seconds in (16.0, 13.0, 10.0):
        due(store, seconds)
    first, second, third, newest = store.runs()
    assert states(store) == ["running", "cancelled", "cancelled", "pending"]
    replaced = [row.cancelled_why for row in (first, second, third)]
    assert replaced == [f"replaced by run {by.id}" for by in (second, third, newest)]
    store.do(finish_run, claimed, "failed", "no more shops")
    assert [one.run_id for one in store.claim("poll")] == [newest.id]


def test_a_request_replaces_too_and_is_replaced(store: Store) -> None:
    claimed = claimed_run(store)
    asked = store.do(trigger, "shop", "poll", requested_by="ada")
    assert store.run(claimed.run_id).cancelled_why == f"replaced by run {asked}"
    assert store.run(asked).available_at is None
    store.do(finish_run, claimed, "succeeded")
    again = store.do(trigger, "shop", "poll", requested_by="ada")
    assert (store.run(asked).state, store.run(again).available_at is None) == ("cancelled", False)
    due(store, 9.0)
    assert states(store) == ["cancelled", "cancelled", "cancelled", "pending"]


def test_a_run_that_was_requested_for_a_later_moment_replaces_when_that_has_come(store: Store) -> None:
    claimed = claimed_run(store)
    asked = store.do(trigger, "shop", "poll", requested_by="ada", at="1h")
    assert store.run(claimed.run_id).cancelled_at is None
    store.shift(run, run.c.id == asked, place_at=-1.0)
    store.plan(POLL)
    assert store.run(claimed.run_id).cancelled_why == f"replaced by run {asked}"
    store.do(finish_run, claimed, "succeeded")
    assert [one.run_id for one in store.claim("poll")] == [asked]


def test_of_several_that_are_placed_at_once_the_last_one_runs(store: Store) -> None:
    asked = [store.do(trigger, "shop", "poll", requested_by="ada", at="1h") for _ in range(3)]
    for number, run_id in enumerate(asked):
        store.shift(run, run.c.id == run_id, place_at=number - 10.0)
    store.plan(POLL)
    assert states(store) == ["cancelled", "cancelled", "pending"]
    assert [one.run_id for one in store.claim("poll")] == asked[2:]


def test_a_run_that_another_replica_has_placed_meanwhile_replaces_nothing_more(store: Store) -> None:
    asked = store.do(trigger, "shop", "poll", requested_by="ada")
    due(store, 9.0)
    assert store.do(place, "shop", [(asked, "poll")], {"poll": "replace"}) == 0
    assert states(store) == ["cancelled", "pending"]


def test_a_run_that_was_requested_for_a_later_moment_is_left_alone(store: Store) -> None:
    asked = store.do(trigger, "shop", "poll", requested_by="ada", at="1h")
    due(store, 9.0)
    later, newest = store.runs()
    assert (later.id, later.state, later.cancelled_at) == (asked, "pending", None)
    assert newest.available_at is not None, "it does not wait for that one"


def test_other_schedules_are_left_alone(store: Store) -> None:
    queue = a_schedule("queue", Every(600.0), overlap="queue")
    store.sync(POLL, queue)
    due(store, 19.0, queue)
    claimed_run(store)
    for one in (queue, POLL):
        due(store, 9.0, one)
    assert [row.cancelled_at for row in store.runs(run.c.schedule == "queue")] == [None, None]


def test_each_instant_has_one_row_which_names_the_run_that_replaced_it(store: Store) -> None:
    """Rule 13."""
    often = a_schedule("often", Every(20.0), overlap="replace", catch_up="all")
    store.sync(often)
    due(store, 50.0, often)
    *replaced, newest = sorted(store.runs(), key=lambda row: row.scheduled_for)
    assert [(row.state, row.reason, row.overlapped) for row in replaced] == [("skipped", "replaced", newest.id)] * 2
    assert (newest.state, newest.available_at is not None) == ("pending", True)
    whys = {line.run_id: line.why for line in store.do(read_runs, limit=9, schedule="often")}
    assert [whys[row.id] for row in replaced] == [Replaced(newest.id)] * 2


def test_with_jitter_it_starts_no_earlier_although_what_waited_has_ended(store: Store) -> None:
    spread = a_schedule("spread", Every(600.0), overlap="replace", jitter=3600.0)
    store.sync(spread)
    due(store, 19.0, spread)
    due(store, 9.0, spread)
    older, newer = store.runs()
    assert older.state == "cancelled"
    drawn = jitter("shop", spread, newer.scheduled_for)
    assert newer.available_at >= newer.scheduled_for + drawn


def test_a_replaced_run_says_so_and_a_cancelled_one_says_who(store: Store) -> None:
    claimed = claimed_run(store)
    due(store, 9.0)
    older, newer = (row.id for row in store.runs())
    assert store.do(read_run, newer).run.why == WaitsForRun(older, "label of h1")
    store.do(finish_run, claimed, "succeeded")
    assert store.do(read_run, older).run.why == Replaced(newer)


def test_many_schedules_take_as_many_statements_as_a_few(store: Store) -> None:
    def statements_for(number: int) -> int:
        polls = [a_schedule(f"{number}-{n}", Every(600.0), overlap="replace") for n in range(number)]
        store.sync(*polls)
        for poll in polls:
            due(store, 19.0, poll)
        assert len(store.claim(*(poll.name for poll in polls[::2]), limit=100)) == (number + 1) // 2
        for poll in polls:
            store.shift(schedule, schedule.c.name == poll.name, planned_until=-10.0, anchor=-9.0, next_due=-9.0)
        with store.sent() as sent:
            store.plan(*polls)
        assert len(store.runs(run.c.cancelled_by == "leased", run.c.schedule.startswith(f"{number}-"))) == number
        return len(sent)

    assert statements_for(2) == statements_for(40)
