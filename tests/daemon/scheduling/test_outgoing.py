"""What was due by a definition that is replaced or retired is planned by it first (rule 13)."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from daemon.definitions.schedule import Schedule, write_schedule
from daemon.definitions.triggers.trigger import Cron, Every, OnRequest
from daemon.scheduling.deploys.sync import SyncReport, plan_outgoing
from daemon.scheduling.plan import MOST_ROWS
from daemon.scheduling.plan_due import ENOUGH_ROWS, MOST_SCHEDULES
from daemon.store.tables import run, schedule
from tests.support.store import PAST, Store, a_schedule, an_application

HOUR = 3600.0


def a_night_without_replicas(store: Store, hours: int = 8) -> None:
    """As if nobody had planned for some hours, and half an hour: the latest instant was missed, too."""
    away = -hours * HOUR - 1800.0
    store.shift(schedule, planned_until=away, anchor=away, next_due=away + HOUR)


def hourly(name: str = "nightly", **settings: Any) -> Schedule:
    return a_schedule(name, Every(HOUR), **settings)


CHANGES = [
    pytest.param([a_schedule("nightly", Every(7200.0))], id="its interval"),
    pytest.param([a_schedule("nightly", Cron("0 3 * * *"))], id="its kind"),
    pytest.param([hourly(enabled=False)], id="disabled"),
    pytest.param([a_schedule("nightly", OnRequest())], id="on request only"),
    pytest.param([hourly(starts=PAST.replace(year=2100))], id="starts later"),
    pytest.param([hourly(ends=PAST.replace(year=2021))], id="ends earlier"),
    pytest.param([], id="retired"),
]


@pytest.mark.parametrize("after", CHANGES)
def test_the_night_before_a_change_is_accounted_for(store: Store, after: list[Schedule]) -> None:
    store.sync(hourly())
    a_night_without_replicas(store)
    before = store.schedules()["nightly"]
    report = store.sync(*after)
    assert report == (SyncReport(changed=("nightly",)) if after else SyncReport(retired=("nightly",)))
    assert store.instants() == {"missed": 7, "pending": 1}, "of those missed the latest runs"
    first, step = before.anchor.replace(microsecond=0), timedelta(seconds=HOUR)
    assert [row.scheduled_for for row in store.runs()] == [first + step * number for number in range(1, 9)]
    row = store.schedules()["nightly"]
    assert row.planned_until >= row.changed_at
    assert row.next_due is None or row.next_due > row.planned_until
    assert {row.digest for row in store.runs(run.c.state == "pending")} == {hourly().run_digest()}
    assert store.planned(*after) == {}, "nothing twice"


@pytest.mark.parametrize(
    ("old", "new", "planned"),
    [
        ({"catch_up": "skip"}, {"catch_up": "all"}, {"missed": 8}),
        ({"catch_up": "all", "overlap": "queue"}, {"catch_up": "skip"}, {"pending": 8}),
        ({"catch_up": "all", "start_within": "4h", "overlap": "queue"}, {}, {"missed": 4, "pending": 4}),
        ({"catch_up": "all"}, {"start_within": 1}, {"pending": 8}),
    ],
)
def test_the_policies_of_the_old_definition_decide(
    store: Store, old: dict[str, Any], new: dict[str, Any], planned: dict[str, int]
) -> None:
    store.sync(hourly(**old))
    a_night_without_replicas(store)
    store.sync(a_schedule("nightly", Every(60.0), **new))
    assert store.instants() == planned


def test_what_was_due_of_a_paused_schedule_is_recorded_as_paused(store: Store) -> None:
    store.sync(hourly())
    a_night_without_replicas(store)
    store.shift(schedule, paused_at=-9 * HOUR)
    store.sync(hourly(enabled=False))
    assert store.instants() == {"paused": 8}


def test_a_definition_that_cannot_be_read_stops_no_sync_and_is_named(store: Store) -> None:
    """So is one that a later release wrote."""
    store.sync(hourly("odd"), hourly("gone"), hourly("good"))
    a_night_without_replicas(store)
    unknown = write_schedule(hourly("odd")).replace('"skip"', '"newest"')
    store.change(schedule, schedule.c.name.in_(["odd", "gone"]), definition=unknown, digest="another")
    timings = {name: a_schedule(name, Every(60.0)) for name in ("odd", "good")}
    report = store.sync(*timings.values())
    assert report == SyncReport(changed=("odd", "good"), retired=("gone",), unreadable=("odd", "gone"))
    assert {row.schedule for row in store.runs()} == {"good"}
    row = store.schedules()["odd"]
    assert row.planned_until == row.anchor == row.changed_at


def test_a_definition_whose_timing_alone_can_be_read_and_is_the_same_goes_on(store: Store) -> None:
    store.sync(hourly("odd"))
    a_night_without_replicas(store)
    unknown = write_schedule(hourly("odd")).replace('"skip"', '"newest"')
    store.change(schedule, definition=unknown, digest="another")
    assert store.sync(hourly("odd")) == SyncReport(changed=("odd",))
    assert store.planned(hourly("odd")) == {"missed": 7, "pending": 1}


@pytest.mark.extended
def test_much_is_planned_before_the_sync_in_transactions_of_bounded_size(store: Store) -> None:
    """The sync locks all schedules of its application, so it leaves them little to wait for."""
    names = [f"s{number}" for number in range(MOST_SCHEDULES + 10)]
    store.sync(*(hourly(name, catch_up="skip") for name in names))
    a_night_without_replicas(store, hours=40)  # the next is due half an hour from now: later than any test takes
    application = an_application(*(a_schedule(name, Every(5400.0), catch_up="skip") for name in names[1:]))
    made, more = [0], True
    while more:
        more = store.do(plan_outgoing, application)
        made.append(len(store.runs()))
    assert all(after - before <= ENOUGH_ROWS + MOST_ROWS for before, after in pairwise(made))
    assert len(made) > 3
    assert made[-1] == 40 * len(names)
    assert {row.trigger for row in store.schedules().values()} == {"every 1h"}, "nothing has changed yet"
    assert store.sync(*application.schedules) == SyncReport(changed=tuple(names[1:]), retired=("s0",))


def test_a_sync_alone_plans_all_that_was_due_by_more_schedules_than_one_transaction_plans(store: Store) -> None:
    names = [f"s{number}" for number in range(MOST_SCHEDULES + 10)]
    store.sync(*(hourly(name) for name in names))
    a_night_without_replicas(store, hours=1)
    store.sync()
    assert store.instants() == {"pending": len(names)}
    assert len({row.schedule for row in store.runs()}) == len(names)


def test_of_short_intervals_some_are_always_due_and_no_sync_waits_for_that(store: Store) -> None:
    names = [f"s{number}" for number in range(MOST_SCHEDULES)]
    store.sync(*(a_schedule(name, Every(0.1)) for name in names))
    store.shift(schedule, planned_until=-1.0, anchor=-1.0, next_due=-0.9)
    assert not all(store.do(plan_outgoing, an_application()) for _ in range(5))
    assert len(store.sync().retired) == len(names)
    planned = store.rows(select(run.c.schedule).distinct())  # the longer it takes, the more runs there are
    assert {name for (name,) in planned} == set(names)
