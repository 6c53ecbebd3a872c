"""Past instants that are run after all: each once, whoever asks for them, and behind the schedule's own runs (rule 23)."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select, update

from daemon.audit import check
from daemon.audit.history import history, read_tables
from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every, OnRequest
from daemon.errors import CannotAct, NotFound
from daemon.operations.backfill import (
    Backfill,
    backfill,
    change_backfill,
    counted_text,
    foresee_backfill,
)
from daemon.operations.backfill_plan import Wanted
from daemon.operations.cancel import cancel
from daemon.operations.pause import pause
from daemon.operations.retry import retry
from daemon.operations.selection import Selection
from daemon.operations.trigger import trigger
from daemon.scheduling.plan_due import ToPlan, plan_due
from daemon.store import statements
from daemon.store.statements.keeping import delete_runs, mark_pruned
from daemon.store.tables import act, run, schedule
from daemon.store.tables import backfill as backfills
from tests.support.completion import finish_run
from tests.support.store import Store, a_schedule

HOUR = timedelta(hours=1)
HOURLY = a_schedule("nightly", Every(3600.0), catch_up="skip")
LATEST = a_schedule("nightly", Every(3600.0), catch_up="latest")
QUEUED = a_schedule("nightly", Every(3600.0), catch_up="all", overlap="queue")
ALLOWED = a_schedule("nightly", Every(3600.0), catch_up="skip", overlap="allow")


def away(store: Store, hourly: Schedule, hours: int) -> list[datetime]:
    """Let nothing have been up for so many hours, after which all is planned; return as many instants. The last one was
    half an hour ago, so that no other is due while the test runs.
    """
    store.sync(hourly)
    now = store.schedules()["nightly"].planned_until
    since = now.replace(microsecond=0) - hours * HOUR - HOUR / 2
    values = {"planned_until": since, "anchor": since, "created_at": since, "changed_at": since, "synced_at": since}
    with store.begin() as connection:
        connection.execute(update(schedule).values(**values, next_due=since + HOUR))
    while store.plan(hourly).more:
        pass
    return [since + at * HOUR for at in range(1, hours + 1)]


def finished(store: Store, run_id: int, state: Any = "succeeded") -> None:
    """End a run that is at work."""
    store.do(finish_run, HELD[run_id], state)


HELD: dict[int, Any] = {}


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what was claimed, by its run."""
    claim = Store.claim

    def kept(store: Store, *known: str, **given: Any) -> Any:
        found = claim(store, *known, **given)
        HELD.update({one.run_id: one for one in found})
        return found

    HELD.clear()
    monkeypatch.setattr(Store, "claim", kept)


def wanted(first: datetime, last: datetime, at_most: int = 1) -> Wanted:
    return Wanted("shop", "nightly", first, last, at_most)


def filled(store: Store, first: datetime, last: datetime, at_most: int = 1, by: str = "ann@web") -> Backfill:
    return store.do(backfill, wanted(first, last, at_most), requested_by=by, why="the shop was closed")


def started(store: Store, hourly: Schedule = HOURLY) -> list[int]:
    """Plan, claim what may start, and return the runs."""
    store.plan(hourly)
    return [one.run_id for one in store.claim("nightly")]


def work(store: Store, hourly: Schedule = HOURLY, state: Any = "succeeded") -> list[datetime]:
    """Run all that may run, one after the other; return the instants in that order."""
    done: list[datetime] = []
    while True:
        store.plan(hourly)
        claimed = store.claim("nightly", limit=1)
        if not claimed:
            return done
        done.append(store.run(claimed[0].run_id).scheduled_for)
        store.do(finish_run, claimed[0], state, None if state == "succeeded" else "broken")


def audited(store: Store) -> list[str]:
    """Return what the audit finds, but that runs ended here without an attempt of their job."""
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        found = [str(violation) for violation in check(history(read_tables(connection)).facts, timedelta())]
    return [one for one in found if not one.endswith('has succeeded, but its job "work" has not')]


def instants_of(store: Store) -> Counter[datetime]:
    """Return how many runs of due instants stand for each hour."""
    found: Counter[datetime] = Counter()
    for row in store.runs(run.c.trigger == "schedule"):
        found.update(row.scheduled_for + at * HOUR for at in range(row._mapping["count"]))
    return found


def test_what_was_skipped_runs_once_in_order_and_one_at_a_time(store: Store) -> None:
    due = away(store, HOURLY, 6)
    done = filled(store, due[0], due[3])
    assert counted_text(done) == "4 scheduled times: 4 will run"
    (first,) = started(store)
    assert (store.run(first).scheduled_for, store.run(first).state) == (due[0], "running")
    assert started(store) == []
    assert store.run(first).backfill == done.backfill_id
    row = store.run(first)
    assert (row.reason, row.start_by, row.requested_by) == (None, None, "ann@web")
    finished(store, first)
    assert work(store) == due[1:4]
    assert instants_of(store) == Counter(due)
    assert audited(store) == []


def test_what_succeeded_before_is_not_run_again_and_what_failed_is_retried_under_its_key(store: Store) -> None:
    due = away(store, QUEUED, 4)
    states = iter(["succeeded", "failed", "failed", "failed"])
    while claimed := store.claim("nightly", limit=1):
        state: Any = next(states, "succeeded")
        store.do(finish_run, claimed[0], state, None if state == "succeeded" else "broken")
    third, fourth = store.runs()[2:4]
    store.do(retry, third.id, requested_by="bob", why=None)
    store.do(retry, fourth.id, requested_by="bob", why=None)
    for state in ("succeeded", "failed"):
        (again,) = store.claim("nightly", limit=1)
        store.do(finish_run, again, state, None if state == "succeeded" else "broken")
    looked = store.do(foresee_backfill, wanted(due[0], due[3]))[1]
    assert [one.fate for one in looked] == ["succeeded", "failed", "succeeded", "failed"]
    done = filled(store, due[0], due[3])
    assert (done.instants, done.succeeded, done.will_run, done.of_failed) == (4, 2, 2, 2)
    assert counted_text(done) == "4 scheduled times: 2 succeeded before, 2 will run"
    made = store.runs(run.c.backfill == done.backfill_id)
    assert [(row.scheduled_for, row.origin) for row in made] == [(due[1], None), (due[3], None)]
    assert work(store, QUEUED) == [due[1], due[3]]
    assert audited(store) == []
    assert counted_text(filled(store, due[0], due[3])) == "4 scheduled times: 4 succeeded before, 0 will run"


def test_a_look_writes_nothing_and_says_the_same(store: Store) -> None:
    due = away(store, HOURLY, 5)
    before = [*store.everything(), *store.rows(select(backfills)), *store.rows(select(act))]
    seen, _ = store.do(foresee_backfill, wanted(due[0], due[2]))
    assert [*store.everything(), *store.rows(select(backfills)), *store.rows(select(act))] == before
    assert (seen.will_run, seen.dry_run, seen.backfill_id) == (3, True, None)
    assert counted_text(seen) == counted_text(filled(store, due[0], due[2]))


def test_of_two_callers_at_one_moment_each_instant_runs_once_and_both_are_told(store: Store) -> None:
    due = away(store, HOURLY, 8)
    with ThreadPoolExecutor(2) as pool:
        spans = [(due[0], due[4]), (due[2], due[6])]
        told = sorted(pool.map(lambda span: filled(store, *span), spans), key=lambda one: one.backfill_id or 0)
    assert [one.will_run for one in told] == [5, 2]
    assert (told[1].under_way, told[1].under_way_by) == (3, [told[0].backfill_id])
    assert f"3 under way by backfill {told[0].backfill_id}, 2 will run" in counted_text(told[1])
    again = filled(store, due[0], due[6])
    assert (again.backfill_id, again.will_run, again.under_way) == (None, 0, 7)
    assert len(store.rows(select(act))) == 2
    assert sorted(work(store)) == due[:7]
    assert audited(store) == []


@pytest.mark.on_both
def test_instants_inside_a_counted_row_are_taken_out_of_it(store: Store) -> None:
    due = away(store, HOURLY, 1_100)
    (counted,) = store.runs(run.c.last_scheduled_for.is_not(None))
    inside = [one for one in due if counted.scheduled_for <= one <= counted.last_scheduled_for]
    for first, last in ((10, 12), (0, 1), (len(inside) - 2, len(inside) - 1)):
        done = filled(store, inside[first], inside[last])
        assert done.will_run == last - first + 1
        assert instants_of(store) == Counter(due)
    assert counted_text(filled(store, inside[0], inside[-1])).endswith("will run")
    assert instants_of(store) == Counter(due)
    assert store.runs(run.c.last_scheduled_for.is_not(None)) == []
    assert audited(store) == []


@pytest.mark.parametrize("taken", [(0, 1), (1, 2), (-3, -2), (-2, -1), (0, -1)])
@pytest.mark.sampled(2)
def test_a_stretch_goes_on_rightly_behind_instants_that_were_taken_out_of_its_counted_row(
    store: Store, taken: tuple[int, int]
) -> None:
    away(store, HOURLY, 990)
    for _ in range(2):  # the stretch grows beyond its 1,000 rows, and goes on in a counted one
        store.pass_time(10 * 3_600)
        store.plan(HOURLY)
    before = instants_of(store)
    (counted,) = store.runs(run.c.last_scheduled_for.is_not(None))
    assert store.schedules()["nightly"].stretch_from == counted.scheduled_for
    inside = sorted(one for one in before if counted.scheduled_for <= one <= counted.last_scheduled_for)
    filled(store, inside[taken[0]], inside[taken[1]])
    assert instants_of(store) == before
    store.pass_time(5 * 3_600)
    assert store.planned(HOURLY) == {"missed": 5}
    now = instants_of(store)
    assert (now.total(), max(now.values())) == (before.total() + 5, 1)
    assert audited(store) == []


def test_a_counted_row_of_another_timing_is_refused(store: Store) -> None:
    due = away(store, HOURLY, 1_100)
    store.change(run, run.c.last_scheduled_for.is_not(None), count=7)
    before = store.everything()
    with pytest.raises(CannotAct, match=r"stands for 7 scheduled times .* the timing of its schedule has changed"):
        filled(store, due[5], due[6])
    assert store.everything() == before


def test_an_instant_without_a_run_gets_one(store: Store) -> None:
    due = away(store, HOURLY, 5)
    store.do(lambda c: c.execute(run.delete().where(run.c.scheduled_for == due[2])))
    _, each = store.do(foresee_backfill, wanted(due[1], due[3]))
    assert [(one.instant, one.fate) for one in each] == [(due[1], "skipped"), (due[2], "none"), (due[3], "skipped")]
    done = filled(store, due[1], due[3])
    assert (done.of_none, done.of_skipped, done.will_run) == (1, 2, 3)
    assert work(store) == due[1:4]
    assert instants_of(store) == Counter(due)


def test_what_is_not_known_any_more_is_refused_and_the_first_possible_instant_is_named(store: Store) -> None:
    due = away(store, HOURLY, 5)
    store.change(schedule, anchor=due[0] - 11_000 * HOUR)
    for hours in (3, 10_900):  # also of more than one backfill may have: an earlier end would not help
        with pytest.raises(CannotAct, match=r"was first planned at .*; the earliest possible time is") as told:
            filled(store, due[0] - hours * HOUR, due[2])
        assert f"{due[0]:%Y-%m-%d %H:%M:%S}Z" in str(told.value)
    store.do(mark_pruned, "shop", "nightly", due[2])
    with pytest.raises(CannotAct, match="may have been pruned") as pruned:
        filled(store, due[1], due[4])
    assert str(pruned.value).endswith(f"the earliest possible time is {due[3]:%Y-%m-%d %H:%M:%S}Z")
    assert filled(store, due[3], due[4]).will_run == 2


def test_what_is_pruned_while_it_looks_is_refused_and_not_taken_for_missing(
    postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pruning waits for no schedule's lock (rule 23: nothing that succeeded runs again)."""
    due = away(postgres, HOURLY, 5)
    look = statements.backfills.due_between

    def prune_first(connection: Connection, *between: Any) -> list[Row[Any]]:
        postgres.do(mark_pruned, "shop", "nightly", due[1])
        postgres.do(lambda other: other.execute(run.delete().where(run.c.scheduled_for <= due[1])))
        return look(connection, *between)

    monkeypatch.setattr(statements.backfills, "due_between", prune_first)
    with pytest.raises(CannotAct, match="may have been pruned"):
        filled(postgres, due[0], due[3])


def test_what_is_to_be_retried_is_not_pruned_before_that_is_written(
    postgres: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = away(postgres, QUEUED, 2)
    failed = postgres.runs()[0].id
    work(postgres, QUEUED, "failed")
    postgres.do(trigger, "shop", "nightly", requested_by="ada")
    add = statements.backfills.add

    def prune_first(connection: Connection, values: Any) -> int:
        postgres.do(mark_pruned, "shop", "nightly", due[0])
        assert postgres.do(delete_runs, "shop", "nightly", [failed]) == 0
        return add(connection, values)

    monkeypatch.setattr(statements.backfills, "add", prune_first)
    assert filled(postgres, due[0], due[0]).of_failed == 1
    assert [row.scheduled_for for row in postgres.runs(run.c.retry_of == failed)] == [due[0]]


@pytest.mark.parametrize(
    ("hourly", "at_most", "says"),
    [
        (HOURLY, 3, 'need overlap = "allow"'),
        (HOURLY, 0, "would never run any"),
        (a_schedule("nightly", Every(3600.0), enabled=False), 1, "is disabled"),
        (a_schedule("nightly", OnRequest()), 1, "runs only on request, so it has no scheduled times; `leased trigger"),
    ],
)
def test_what_no_backfill_can_be_is_refused(store: Store, hourly: Schedule, at_most: int, says: str) -> None:
    store.sync(hourly)
    before = store.everything()
    span = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    with pytest.raises(CannotAct, match=says):
        filled(store, *span, at_most)
    with pytest.raises(CannotAct, match=says):
        store.do(foresee_backfill, wanted(*span, at_most))
    assert store.everything() == before


def test_an_end_before_the_beginning_too_many_instants_and_an_unknown_schedule_are_refused(store: Store) -> None:
    due = away(store, HOURLY, 3)
    with pytest.raises(CannotAct, match=r"is after the last, .*; give the earlier one first"):
        filled(store, due[1], due[0])
    first = due[0] - 10_900 * HOUR
    store.change(schedule, anchor=first)
    store.change(run, run.c.scheduled_for == due[0], scheduled_for=first)
    with pytest.raises(CannotAct, match="a backfill has at most 10,000 scheduled times"):
        filled(store, first, due[2])
    with pytest.raises(NotFound, match='there is no schedule "nightli"'):
        store.do(backfill, Wanted("shop", "nightli", due[0], due[1]), requested_by="ann")


def test_the_own_runs_of_a_schedule_go_ahead_and_are_not_skipped_for_a_backfill(store: Store) -> None:
    due = away(store, LATEST, 4)
    finished(store, *started(store, LATEST))
    filled(store, due[0], due[2])
    (first,) = started(store, LATEST)
    store.pass_time(1 * 3_600)
    store.plan(LATEST)
    (own,) = store.runs(run.c.state == "pending", run.c.place_at.is_(None))
    assert (own.backfill, own.available_at) == (None, None)  # it waits, and is not skipped
    assert started(store, LATEST) == []
    claimed = store.run(first)
    assert claimed.state == "running"
    finished(store, first)
    assert started(store, LATEST) == [own.id]
    assert started(store, LATEST) == []
    finished(store, own.id)
    assert [store.run(number).scheduled_for for number in started(store, LATEST)] == [due[1] - HOUR]


def test_a_run_that_is_recorded_as_missed_makes_way_for_a_backfill(store: Store) -> None:
    """In the same transaction, although the look before it has found that none had its turn."""
    due = away(store, HOURLY, 3)
    number = store.do(trigger, "shop", "nightly", requested_by="ann")
    filled(store, due[0], due[1])
    store.shift(run, run.c.id == number, start_by=-1.0)
    late = ToPlan(requests=False, instants=False, backfills=False)
    assert store.do(plan_due, "shop", {"nightly": HOURLY}, late).made == 1


def test_a_requested_run_goes_ahead_of_what_a_backfill_has_not_placed_yet(store: Store) -> None:
    due = away(store, HOURLY, 4)
    filled(store, due[0], due[2])
    asked = store.do(trigger, "shop", "nightly", requested_by="bob")
    assert started(store) == [asked]
    second = store.do(trigger, "shop", "nightly", requested_by="bob")
    finished(store, asked)
    assert started(store) == [second]
    finished(store, second)
    assert work(store) == due[:3]


def test_with_allow_so_many_run_at_a_time_each_under_its_own_lease(store: Store) -> None:
    due = away(store, ALLOWED, 6)
    done = filled(store, due[0], due[4], 2)
    first = started(store, ALLOWED)
    assert [store.run(number).scheduled_for for number in first] == due[:2]
    assert {store.run(number).lease_name for number in first} == {f"run/shop/nightly/{number}" for number in first}
    assert started(store, ALLOWED) == []
    finished(store, first[0])
    assert [store.run(number).scheduled_for for number in started(store, ALLOWED)] == [due[2]]
    assert done.at_most == 2


def test_a_paused_backfill_goes_on_when_it_is_resumed_and_both_are_said_once(store: Store) -> None:
    due = away(store, HOURLY, 4)
    number = filled(store, due[0], due[2]).backfill_id or 0
    assert not store.do(change_backfill, "pause", number, requested_by="eve").already
    assert store.do(change_backfill, "pause", number, requested_by="eve").already
    assert started(store) == []
    assert not store.do(change_backfill, "resume", number, requested_by="eve").already
    assert store.do(change_backfill, "resume", number, requested_by="eve").already
    assert work(store) == due[:3]
    effects = [row.effect for row in store.rows(select(act).order_by(act.c.id))]
    assert effects[1:] == [f"backfill {number} is paused", f"backfill {number} is resumed"]
    with pytest.raises(CannotAct, match="has no waiting runs left"):
        store.do(change_backfill, "pause", number, requested_by="eve")


def test_a_cancelled_backfill_ends_what_waits_and_marks_what_is_at_work(store: Store) -> None:
    due = away(store, HOURLY, 4)
    number = filled(store, due[0], due[2]).backfill_id or 0
    (at_work,) = started(store)
    done = store.do(change_backfill, "cancel", number, requested_by="eve", why="the wrong month")
    assert Counter(one.outcome for one in done.runs) == {"ended": 2, "marked": 1}
    assert store.do(change_backfill, "cancel", number, requested_by="eve").already
    finished(store, at_work)
    assert Counter(row.state for row in store.runs(run.c.backfill == number)) == {"cancelled": 3}
    assert started(store) == []
    (*_, last) = store.rows(select(act).order_by(act.c.id))
    assert (last.act, last.why) == ("cancel", "the wrong month")
    assert last.effect.startswith(f"backfill {number}: ")
    again = filled(store, due[0], due[2])
    assert (again.will_run, again.of_failed) == (3, 3)
    assert work(store) == due[:3]
    assert audited(store) == []
    with pytest.raises(CannotAct, match="it has no run left to cancel"):
        store.do(change_backfill, "cancel", again.backfill_id or 0, requested_by="eve")
    with pytest.raises(NotFound, match="there is no backfill 99"):
        store.do(change_backfill, "cancel", 99, requested_by="eve")


def test_a_backfill_whose_runs_were_cancelled_one_by_one_is_closed(store: Store) -> None:
    due = away(store, HOURLY, 4)
    number = filled(store, due[0], due[1]).backfill_id
    for row in store.runs(run.c.backfill == number):
        store.do(cancel, row.id, requested_by="eve")
    store.plan(HOURLY)
    (row,) = store.rows(select(backfills))
    assert row.placed_at is not None


def test_the_pause_of_a_schedule_holds_its_instants_and_not_a_backfill(store: Store) -> None:
    due = away(store, HOURLY, 4)
    store.do(pause, Selection("shop", "nightly"), requested_by="eve")
    filled(store, due[0], due[1])
    assert work(store) == due[:2]


def test_runs_of_a_retired_schedule_go_on_where_it_is_known(store: Store) -> None:
    due = away(store, HOURLY, 4)
    filled(store, due[0], due[1])
    store.sync(a_schedule("other"))
    assert work(store) == due[:2]
    with pytest.raises(NotFound, match="was retired by a deploy at"):
        filled(store, due[2], due[3])


def test_what_is_due_on_a_day_that_is_kept_free_is_left_out(store: Store) -> None:
    due = away(store, HOURLY, 5)
    days = sorted({f"{one:%Y-%m-%d}" for one in due})
    store.change(run, run.c.scheduled_for == due[1], reason="excluded")
    assert filled(store, due[1], due[1]).will_run == 1  # it is kept free no more
    store.change(run, run.c.scheduled_for == due[2], reason="excluded")
    free = a_schedule("nightly", Every(3600.0), catch_up="skip", exclude=days)
    row = store.schedules()["nightly"]
    store.sync(free)
    store.change(schedule, anchor=row.anchor, planned_until=row.planned_until)
    done = filled(store, due[2], due[3])
    assert counted_text(done) == "2 scheduled times: 1 left out, 1 will run"


def test_a_newer_run_does_not_replace_that_of_a_backfill(store: Store) -> None:
    replacing = a_schedule("nightly", Every(3600.0), catch_up="latest", overlap="replace")
    due = away(store, replacing, 4)
    finished(store, *started(store, replacing))
    filled(store, due[0], due[1])
    (first,) = started(store, replacing)
    store.pass_time(1 * 3_600)
    store.plan(replacing)
    (own,) = store.runs(run.c.state == "pending", run.c.place_at.is_(None))
    assert (store.run(first).cancelled_at, own.available_at) == (None, None)
    finished(store, first)
    assert started(store, replacing) == [own.id]
