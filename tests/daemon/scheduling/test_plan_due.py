"""Each due instant becomes one run, in the transaction that moves the schedule on (rules 13 and 14)."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, delete, event

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import Every
from daemon.scheduling import plan_due as planning
from daemon.scheduling.plan import lease_name
from daemon.scheduling.plan_due import PlanningFailed, PlanReport, ToPlan, plan_due
from daemon.store import statements
from daemon.store.tables import run, schedule
from tests.support.store import PAST, Store, a_schedule, an_at, pending_runs


def overdue(store: Store, name: str, seconds: float) -> None:
    """As if nobody had planned for so many seconds.

    With 10 s more than a whole number of periods, so that no further instant is due on a busy machine, and none is missed.
    """
    store.shift(schedule, schedule.c.name == name, planned_until=-seconds, anchor=-seconds, next_due=-seconds + 1)


def planned_through(store: Store, poll: Schedule) -> int:
    """Plan until there is no more, and return how many instants were recorded as paused; as many were reported."""
    before, reported, more = store.instants(), Counter[tuple[str, str]](), True
    while more:
        report = store.plan(poll)
        reported.update(report.skipped)
        more = report.more
    recorded = (store.instants() - before)["paused"]
    assert reported == {(poll.name, "paused"): recorded}
    return recorded


def count(row: Row[Any]) -> int:
    number: int = row._mapping["count"]
    return number


PERIOD = timedelta(seconds=20)


def reopen(store: Store, last: datetime, instants: int, *, of_stretch: int) -> None:
    """As if so many instants, the last ones, had not been planned yet."""
    values = {
        "planned_until": last - instants * PERIOD,
        "next_due": last - (instants - 1) * PERIOD,
        "stretch_count": schedule.c.stretch_count - of_stretch,
    }
    store.change(schedule, **values)


def a_long_stretch(store: Store) -> tuple[Schedule, Row[Any]]:
    """Plan a stretch of 1,010 instants that grew by the last eight of them; return the counted row of these."""
    poll = a_schedule("poll", Every(20.0))
    store.sync(poll)
    overdue(store, "poll", 20.0 * 1_010 + 10)
    store.shift(schedule, paused_at=-1e6)
    assert planned_through(store, poll) == 1_010
    last = store.runs()[-1].scheduled_for
    store.do(lambda connection: connection.execute(delete(run).where(run.c.scheduled_for > last - 8 * PERIOD)))
    reopen(store, last, 8, of_stretch=0)
    assert planned_through(store, poll) == 8
    return poll, store.runs()[-1]


@pytest.mark.parametrize(("instants", "made"), [(2, [4, 2]), (3, [4, 4, 1])])
def test_a_transaction_writes_so_many_rows_for_all_schedules_and_tells_of_those_left(
    instants: int, made: list[int], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "ENOUGH_ROWS", 4)
    polls = [a_schedule(name, Every(20.0)) for name in ("a", "b", "c")]
    store.sync(*polls)
    for poll in polls:
        overdue(store, poll.name, 20.0 * instants + 10)
    store.shift(schedule, paused_at=-1e6)
    reports = [store.plan(*polls) for _ in made]
    assert [report.made for report in reports] == made
    assert [report.more for report in reports] == [True] * (len(made) - 1) + [False]


def test_each_instant_has_one_run_and_the_schedule_moves_on(store: Store) -> None:
    poll = a_schedule("poll", Every(20.0), catch_up="all", overlap="queue", params={"shop": 7})
    store.sync(poll)
    overdue(store, "poll", 70.0)
    assert store.plan(poll) == PlanReport(made=3, ready=True)
    rows = store.runs()
    assert [row.state for row in rows] == ["pending"] * 3
    assert [row.available_at is not None for row in rows] == [True, False, False], "the first is due, the others wait"
    assert {row.lease_name for row in rows} == {"run/shop/poll"}
    assert json.loads(rows[0].params) == {"shop": 7}
    after = store.schedules()["poll"]
    assert after.next_due > after.planned_until >= rows[-1].scheduled_for
    assert store.planned(poll) == {}


def test_a_stretch_that_grows_does_so_in_one_counted_row(store: Store) -> None:
    """Rule 13."""
    poll, counted = a_long_stretch(store)
    rows = len(store.runs())
    assert (count(counted), counted.last_scheduled_for - counted.scheduled_for) == (8, 7 * PERIOD)
    reopen(store, counted.last_scheduled_for, 5, of_stretch=5)
    store.change(run, run.c.id == counted.id, count=3)
    assert planned_through(store, poll) == 5
    assert count(store.run(counted.id)) == 8
    assert len(store.runs()) == rows


def test_a_counted_row_that_is_gone_is_told_and_nothing_is_written(store: Store) -> None:
    poll, counted = a_long_stretch(store)
    store.change(run, run.c.id == counted.id, trigger="manual")
    reopen(store, counted.last_scheduled_for, 5, of_stretch=5)
    before = store.everything()
    with pytest.raises(PlanningFailed, match="expected one row that counts its skipped times"):
        store.plan(poll)
    assert store.everything() == before


@pytest.mark.parametrize("overlap", ["skip", "queue", "allow"])
def test_many_schedules_take_as_many_statements_as_a_few(store: Store, overlap: str) -> None:
    """A thousand may be due in the same second."""

    def statements_for(number: int) -> int:
        polls = [a_schedule(f"{number}-{n}", Every(20.0), overlap=overlap) for n in range(number)]
        store.sync(*polls)
        for poll in polls:
            overdue(store, poll.name, 30.0)
        with store.sent() as sent:
            store.plan(*polls)
        return len(sent)

    assert statements_for(2) == statements_for(40)


def test_an_instant_that_has_its_run_gets_no_second_one_and_that_is_told(store: Store) -> None:
    once = an_at("once")
    store.sync(once)
    store.plan(once)
    store.change(schedule, planned_until=PAST - timedelta(days=1), next_due=PAST)
    assert store.plan(once).doubled == 1
    assert len(store.runs()) == 1


def test_replicas_that_plan_at_once_make_each_run_once(store: Store) -> None:
    polls = [a_schedule(f"poll{number}", Every(80.0)) for number in range(30)]
    store.sync(*polls)
    for poll in polls:
        overdue(store, poll.name, 120.0)
    with ThreadPoolExecutor(4) as pool:
        planned = list(pool.map(lambda _: store.plan(*polls), range(4)))
    while store.planned(*polls):
        pass
    assert sum(plans.doubled for plans in planned) == 0
    assert len({row.schedule for row in store.runs()}) == len(store.runs()) == 30


def test_a_schedule_that_somebody_is_at_is_passed_over(postgres: Store) -> None:
    busy, free = a_schedule("busy", Every(20.0)), a_schedule("free", Every(20.0))
    postgres.sync(busy, free)
    for name in ("busy", "free"):
        overdue(postgres, name, 30.0)
    with postgres.begin() as connection:
        statements.schedule.lock(connection, "shop", "busy")
        postgres.plan(busy, free)
        assert [row.schedule for row in postgres.runs()] == ["free"]
    postgres.plan(busy, free)
    assert [row.schedule for row in postgres.runs()] == ["free", "busy"]


def test_schedules_that_are_not_known_here_are_left_alone(store: Store) -> None:
    """Rule 17."""
    known, unknown = a_schedule("known", Every(20.0)), a_schedule("unknown", Every(20.0))
    store.sync(known, unknown)
    for name in ("known", "unknown"):
        overdue(store, name, 30.0)
    store.plan(known)
    assert [row.schedule for row in store.runs()] == ["known"]


def test_the_definition_in_the_database_decides_and_not_an_older_file(store: Store) -> None:
    old = a_schedule("poll", Every(20.0), enabled=False)
    store.sync(a_schedule("poll", Every(20.0), lock="warehouse"))
    overdue(store, "poll", 30.0)
    assert store.planned(old) == {"pending": 1}
    assert [row.lease_name for row in store.runs()] == ["warehouse"]
    assert store.schedules()["poll"].next_due is not None


def test_runs_that_may_overlap_have_a_lease_each(store: Store) -> None:
    """Rule 14."""
    poll = a_schedule("poll", Every(20.0), overlap="allow", catch_up="all")
    store.sync(poll)
    overdue(store, "poll", 70.0)
    store.plan(poll)
    rows = store.runs()
    assert [row.lease_name for row in rows] == [f"run/shop/poll/{row.id}" for row in rows]
    assert len(store.claim("poll")) == 3


def test_an_instant_older_than_start_within_is_not_started_any_more_but_missed(store: Store) -> None:
    once = a_schedule("poll", Every(20.0), start_within=120.0, overlap="queue", catch_up="all")
    store.sync(once)
    overdue(store, "poll", 50.0)
    store.plan(once)
    first, second = store.runs()
    assert second.available_at is None
    store.shift(run, run.c.id == first.id, start_by=-1.0)
    assert store.claim("poll") == []
    store.due_again("poll", -100.0)
    assert store.planned(once) == {"missed": 1}
    assert (store.run(first.id).state, store.run(first.id).reason) == ("skipped", "missed")
    assert [one.run_id for one in store.claim("poll")] == [second.id], "its successor is due"


def test_a_run_that_has_started_is_not_missed(store: Store) -> None:
    once = an_at("once", start_within=1e9)
    store.sync(once)
    store.plan(once)
    (claimed,) = store.claim("once")
    store.change(run, state="pending", token=None, holder=None)
    store.shift(run, start_by=-1.0)
    assert store.planned(once) == {}
    assert [one.run_id for one in store.claim("once", holder="h2")] == []
    store.go_stale(claimed.grant)
    assert [one.run_id for one in store.claim("once", holder="h2")] == [claimed.run_id]


def test_a_schedule_named_like_another_ones_lease_shares_no_lease(store: Store) -> None:
    names = {
        lease_name("shop", a_schedule("a", overlap="allow")).of_run(7),
        lease_name("shop", a_schedule("a")).of_run(7),
        lease_name("shop", a_schedule("7")).of_run(7),
        lease_name("shop", a_schedule("a", lock="a")).of_run(7),
        lease_name("a", a_schedule("shop")).of_run(7),
    }
    assert len(names) == 5


def test_only_what_a_look_has_found_is_looked_for(store: Store) -> None:
    poll = a_schedule("poll", Every(20.0), overlap="queue", start_within=3600.0)
    store.sync(poll)
    pending_runs(store, poll, 1)
    store.shift(run, start_by=-1.0)
    overdue(store, "poll", 30.0)
    what = ToPlan(late=False, requests=False, instants=False, backfills=False)
    planned = []
    for found in (what, what._replace(instants=True), what._replace(late=True), what):
        store.do(plan_due, "shop", {"poll": poll}, found)
        planned.append(store.instants())
    none, both, missed, again = planned
    assert (both - none, missed - both, again - missed) == ({"pending": 1}, {"missed": 1}, {})


def test_all_but_others_are_planned_without_naming_them(store: Store) -> None:
    """There may be thousands; and what was not met yet is left to those who have it."""
    schedules = {name: a_schedule(name, Every(20.0)) for name in ("ours", "theirs", "new")}
    store.sync(*schedules.values())
    for name in schedules:
        overdue(store, name, 30.0)
    ours = {"ours": schedules["ours"]}
    report = store.do(lambda connection: plan_due(connection, "shop", ours, others=["theirs"]))
    assert (report.made, {row.schedule for row in store.runs()}) == (1, {"ours"})


# Wherever planning is broken off


EVERY = 10.0


class Crash(Exception):
    """In place of the end of the process."""


@contextmanager
def crash_before(store: Store, number: int) -> Iterator[list[int]]:
    """Send no statement of this number, counted from 1, nor any that would follow; and tell whether it came to that."""
    numbers = itertools.count(1)
    crashed: list[int] = []

    def before(*_: Any) -> None:
        if crashed or next(numbers) == number:
            crashed.append(number)
            raise Crash

    event.listen(store.engine, "before_cursor_execute", before)
    try:
        yield crashed
    except Crash:
        assert crashed
    finally:
        event.remove(store.engine, "before_cursor_execute", before)


def crashes(store: Store, number: int) -> bool:
    """Plan three instants, break off before this statement, and look at what another replica makes of it; False at the end."""
    application, poll = f"shop{number}", a_schedule("poll", Every(EVERY), overlap="queue", catch_up="all")
    store.sync(poll, application=application)
    of_ours = schedule.c.application == application
    store.shift(schedule, of_ours, planned_until=-35.0, anchor=-35.0, next_due=-25.0)
    with crash_before(store, number) as crashed:
        store.plan(poll, application=application)
    again = store.plan(poll, application=application)
    instants = [row.scheduled_for for row in store.runs(run.c.application == application)]
    assert len(instants) >= 3, f"broken off before statement {number}"
    assert instants == [instants[0] + timedelta(seconds=EVERY) * place for place in range(len(instants))]
    assert again.doubled == 0
    return bool(crashed)


def test_a_crash_before_any_statement_loses_and_doubles_no_instant(store: Store) -> None:
    broken_off = next(number for number in itertools.count(1) if not crashes(store, number)) - 1
    assert broken_off >= 3, "at least what is due is read, runs are made, and the schedule moved on"
