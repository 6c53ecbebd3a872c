"""Sync touches its own application only, retires, and counts from the change (rules 13 and 17)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select, text

from daemon.definitions.schedule import Schedule
from daemon.definitions.triggers.trigger import At, Cron, Every, OnRequest
from daemon.scheduling.deploys.sync import SyncReport, patience, sync
from daemon.store.tables import schedule
from tests.support.store import PAST, Store, a_schedule, an_application, pending_runs


def test_a_schedule_seen_for_the_first_time_has_missed_nothing(store: Store) -> None:
    daily = a_schedule("daily", Cron("0 3 * * *"))
    assert store.sync(daily) == SyncReport(added=("daily",))
    row = store.schedules()["daily"]
    assert row.next_due > row.planned_until == row.anchor == row.created_at
    assert row.trigger == "cron 0 3 * * *"
    assert store.planned(daily) == {}


def test_an_unchanged_definition_leaves_its_row_untouched(store: Store) -> None:
    daily = a_schedule("daily")
    store.sync(daily)
    before = store.everything()
    assert store.sync(daily) == SyncReport(unchanged=("daily",))
    assert store.everything() == before


def test_an_at_that_is_moved_into_the_past_does_not_run(store: Store) -> None:
    store.sync(a_schedule("once", At(PAST.replace(year=2100))))
    store.sync(a_schedule("once", At(PAST)))
    assert store.schedules()["once"].next_due is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"cron": "0 2 * * *"}, {"cron": "0 00  02 * JAN-DEC 0-7"}),
        ({"every": 90}, {"every": "1m 30s", "timezone": "Europe/Berlin"}),
        ({"cron": "0 2 * * *", "timezone": "Europe/Kiev"}, {"cron": "00 2 * * *", "timezone": "Europe/Kyiv"}),
        ({"at": "2100-01-01T00:00:00Z"}, {"at": "2100-01-01T01:00:00+01:00"}),
        ({"every": 60, "starts": PAST}, {"every": 60.0, "starts": "2020-01-01T03:00:00+03:00"}),
    ],
)
def test_a_timing_that_is_only_spelled_anew_is_no_change(
    store: Store, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Rule 13."""
    jobs = a_schedule().jobs
    store.sync(Schedule(name="nightly", jobs=jobs, **before))
    store.shift(schedule, planned_until=-7200.0, anchor=-7200.0, next_due=-7000.0)
    old = store.schedules()["nightly"]
    store.sync(Schedule(name="nightly", jobs=jobs, description="spelled anew", **after))
    new = store.schedules()["nightly"]
    assert new.digest != old.digest
    assert (new.planned_until, new.anchor, new.next_due) == (old.planned_until, old.anchor, old.next_due)


def test_a_schedule_that_is_gone_is_retired_and_counts_from_its_return(store: Store) -> None:
    """Rule 17."""
    stays, goes = a_schedule("stays"), a_schedule("goes", Every(60.0))
    store.sync(stays, goes)
    pending_runs(store, goes, 1)
    assert store.sync(stays) == SyncReport(retired=("goes",), unchanged=("stays",))
    row = store.schedules()["goes"]
    assert row.retired_at is not None
    assert row.next_due is None
    assert [one.state for one in store.runs()] == ["pending"]
    assert store.sync(stays) == SyncReport(unchanged=("stays",))

    assert store.sync(stays, goes) == SyncReport(revived=("goes",), unchanged=("stays",))
    back = store.schedules()["goes"]
    assert back.retired_at is None
    assert back.next_due > back.planned_until > row.planned_until
    assert [one.schedule for one in store.claim("stays", "goes")] == ["goes"]


@pytest.mark.parametrize(
    "before",
    [a_schedule("poll", Every(60.0), enabled=False), a_schedule("poll", OnRequest())],
    ids=["disabled", "on request"],
)
def test_what_had_no_instants_counts_from_the_change_and_never_backwards(store: Store, before: Schedule) -> None:
    """Rule 13."""
    store.sync(before)
    assert (store.schedules()["poll"].next_due, store.schedules()["poll"].enabled) == (None, before.enabled)
    store.shift(schedule, planned_until=-7200.0, anchor=-7200.0)
    changed = a_schedule("poll", Every(60.0))
    assert store.sync(changed) == SyncReport(changed=("poll",))
    row = store.schedules()["poll"]
    assert row.planned_until == row.anchor == row.changed_at
    assert timedelta(0) < row.next_due - row.changed_at <= timedelta(seconds=60)
    assert store.planned(changed) == {}


def test_sync_leaves_other_applications_alone(store: Store) -> None:
    """Rule 17: though their schedules have the same names."""
    store.sync(a_schedule("daily"), a_schedule("weekly"), application="shop")
    store.sync(a_schedule("daily"), a_schedule("weekly"), application="office")

    def of_shop() -> list[Row[Any]]:
        mine = select(schedule).where(schedule.c.application == "shop").order_by(schedule.c.name)
        return store.do(lambda connection: list(connection.execute(mine)))

    before = of_shop()
    report = store.sync(a_schedule("daily", Every(5.0)), application="office")
    assert report == SyncReport(changed=("daily",), retired=("weekly",))
    assert of_shop() == before


def test_a_dry_run_tells_all_and_changes_nothing(store: Store) -> None:
    store.sync(a_schedule("same"), a_schedule("changes"), a_schedule("goes"), a_schedule("comes-back"))
    store.sync(a_schedule("same"), a_schedule("changes"), a_schedule("goes"))
    before = store.everything()
    application = an_application(
        a_schedule("same"), a_schedule("changes", Every(5.0)), a_schedule("comes-back"), a_schedule("new")
    )
    assert store.do(sync, application, dry_run=True) == SyncReport(
        added=("new",), changed=("changes",), retired=("goes",), revived=("comes-back",), unchanged=("same",)
    )
    assert store.everything() == before


@pytest.mark.parametrize("timed", ["alike", "anew"])
def test_a_release_that_changes_many_schedules_takes_as_many_statements_as_one_that_changes_two(
    store: Store, timed: str
) -> None:
    def statements_of(number: int) -> int:
        names = [f"s{one}" for one in range(number)]
        store.sync(*(a_schedule(name) for name in names))
        changed = [a_schedule(name, Every(3600.0), description="new") for name in names]
        if timed == "anew":
            changed = [a_schedule(name, Every(1800.0)) for name in names]
        with store.sent() as sent:
            assert len(store.sync(*changed).changed) == number
        return len(sent)

    assert statements_of(2) == statements_of(40)


def test_a_sync_of_thousands_is_given_more_time_than_one_of_a_few() -> None:
    few, many = an_application(a_schedule()), an_application(*(a_schedule(f"s{number}") for number in range(2_000)))
    assert patience(many) > patience(few) + 5.0


def test_a_sync_may_compute_for_longer_than_other_transactions_are_idle(postgres: Store) -> None:
    """Of thousands of schedules it does, between two statements."""
    with postgres.begin() as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '2s'"))
        sync(connection, an_application(a_schedule()))
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "10s"


def test_of_different_definitions_synced_at_once_one_wins_whole(store: Store) -> None:
    one = an_application(*(a_schedule(f"s{number}", Every(60.0)) for number in range(10)))
    other = an_application(*(a_schedule(f"s{number}", Every(30.0)) for number in range(5, 15)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda application: store.do(sync, application), [one, other, one, other]))
    living = {row.name: row.digest for row in store.schedules().values() if row.retired_at is None}
    assert living in (
        {each.name: each.digest for each in one.schedules},
        {each.name: each.digest for each in other.schedules},
    )
