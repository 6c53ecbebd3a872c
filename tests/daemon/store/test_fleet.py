"""What the metrics of the fleet read, on each database."""

from typing import Any

import pytest
from sqlalchemy import update

from daemon.store.tables import schedule
from daemon.store.views.fleet import Fleet, ScheduleFacts, read_fleet
from tests.daemon.store.test_views import MINUTE, Rows
from tests.support.store import statements_on

KEY = ("shop", "nightly")


@pytest.fixture
def rows(rows: Rows) -> Rows:
    rows.schedule()
    return rows


def fleet(rows: Rows, **which: Any) -> Fleet:
    return read_fleet(rows.connection, **which)


def ago(rows: Rows, minutes: float) -> Any:
    return pytest.approx((rows.now - minutes * MINUTE).timestamp(), abs=1e-3)


def nightly(rows: Rows) -> ScheduleFacts:
    return next(one for one in fleet(rows).schedules if one.schedule == "nightly")


def test_a_streak_of_failures_survives_what_waits_what_runs_and_what_is_skipped(rows: Rows) -> None:
    rows.run("failed", 60)
    rows.run("succeeded", 50)
    for minutes in (40, 30):
        rows.run("failed", minutes)
    rows.run("skipped", 25)
    rows.run("cancelled", 22)
    rows.running(minutes_ago=20)
    rows.run("pending", 10)
    found = nightly(rows)
    assert found.failures == 2
    assert [found.last_success, found.last_end] == [ago(rows, 49), ago(rows, 21)]
    assert found.last_due == ago(rows, 10)


def test_what_is_owed_is_the_first_instant_after_the_last_success_that_did_not_succeed(rows: Rows) -> None:
    assert (nightly(rows).owed, nightly(rows).missed, nightly(rows).last_success) == (None, None, None)
    rows.run("failed", 60)
    assert nightly(rows).owed == ago(rows, 60)
    rows.run("succeeded", 50)
    assert nightly(rows).owed is None
    rows.run("skipped", 45, reason="paused")
    rows.run("skipped", 44, reason="missed")
    rows.run("failed", 40, finish_by=rows.now - 35 * MINUTE)
    rows.run("pending", 30)
    found = nightly(rows)
    assert [found.owed, found.owed_by] == [ago(rows, 40), ago(rows, 35)]
    assert found.missed == ago(rows, 44)
    rows.run("succeeded", 200, trigger="manual", started_at=rows.now - 5 * MINUTE)
    assert nightly(rows).owed is None, "a backfill of an old instant that succeeds now is a success now"


def test_what_runs_and_waits_is_told_by_schedule_and_what_waits_for_later_is_not_late(rows: Rows) -> None:
    rows.schedule("hourly")
    rows.running(minutes_ago=20)
    rows.run("pending", 10)
    rows.run("pending", 5, schedule="hourly", available_at=rows.now + 5 * MINUTE)
    (key, found), *others = fleet(rows).unfinished.items()
    assert (key, found.running, others) == (KEY, 1, [])
    assert [found.longest, found.waits] == [pytest.approx(1200, abs=60), pytest.approx(600, abs=60)]


def test_a_renamed_schedule_has_its_present_name_and_a_retired_one_is_gone(rows: Rows) -> None:
    rows.schedule("gone", retired_at=rows.now, next_due=None)
    rows.connection.execute(update(schedule).where(schedule.c.name == "nightly").values(called="every night"))
    rows.running(minutes_ago=20)
    found = fleet(rows, usual=lambda *_: [("shop", "every night")])
    assert [one.schedule for one in found.schedules] == ["every night"]
    assert list(found.unfinished) == [("shop", "every night")]


def test_a_definition_is_read_only_while_it_is_not_known(rows: Rows) -> None:
    rows.schedule("hourly", digest="e", definition='{"timezone": "UTC"}')
    assert fleet(rows).definitions == {"d": "{}", "e": '{"timezone": "UTC"}'}
    assert fleet(rows, known={"d", "e"}).definitions == {}


def test_only_an_open_transaction_of_another_is_the_oldest(rows: Rows) -> None:
    if rows.connection.dialect.name == "sqlite":
        assert fleet(rows).oldest_transaction is None
        return
    assert fleet(rows).oldest_transaction == 0.0, "its own does not count"
    with rows.connection.engine.begin() as other:
        age = read_fleet(other).oldest_transaction
    assert age is not None
    assert 0.0 < age < 3600.0


def test_the_number_of_statements_does_not_grow_with_the_schedules(rows: Rows) -> None:
    def counted(number: int) -> int:
        keys = [("shop", f"number-{at}") for at in range(number)]
        with statements_on(rows.connection) as sent:
            fleet(rows, usual=lambda *_: [KEY, *keys])
        return len(sent)

    few = counted(0)
    for at in range(30):
        rows.schedule(f"number-{at}", digest=f"d{at}")
        rows.run("failed", 5, schedule=f"number-{at}")
        rows.run("skipped", 4, schedule=f"number-{at}", reason="missed")
    assert counted(30) == few <= 10
