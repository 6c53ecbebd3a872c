"""What the timeline reads of runs, by the number of the first that was made in time, and put together; and the last runs of
schedules.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from daemon.store.tables import run, schedule
from daemon.store.views import lanes
from daemon.store.views.lanes import LaneRuns, read_attempts, read_lanes, read_window
from daemon.store.views.lately import StripRun, read_strips
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.support.store import statements_on

HOUR = timedelta(hours=1)
KEY = ("shop", "nightly")


def read(
    rows: Rows, begins: float, ends: float = 0.0, columns: int = 100, *names: str
) -> dict[tuple[str, str], LaneRuns]:
    """Return what schedules did between so many minutes ago and so many."""
    window = read_window(rows.connection, rows.now - begins * MINUTE, rows.now - ends * MINUTE)
    return read_lanes(rows.connection, [("shop", name) for name in names or ("nightly",)], window, columns)


def spans(found: dict[tuple[str, str], LaneRuns], name: str = "nightly") -> list[tuple[str, int, int, int]]:
    """Return (how it ended, its begin and end in whole minutes, how many)."""
    return sorted(
        (span.ended, round(span.begins / 60), round(span.ends / 60), span.runs)
        for span in found.get(("shop", name), LaneRuns()).spans
    )


def test_runs_that_began_in_one_column_and_ended_alike_are_one(rows: Rows) -> None:
    rows.schedule()
    for minutes, state in ((58, "succeeded"), (57, "failed"), (56, "succeeded"), (9, "succeeded")):
        rows.run(state, minutes)
    assert spans(read(rows, 60, columns=6)) == [
        ("failed", 3, 4, 1),
        ("succeeded", 2, 5, 2),
        ("succeeded", 51, 52, 1),
    ]


def test_what_began_before_and_what_ended_after_is_there_and_no_more(rows: Rows) -> None:
    rows.schedule()
    rows.run("succeeded", 300)
    rows.run("succeeded", 200, finished_at=rows.now - 110 * MINUTE)
    rows.run("succeeded", 70, finished_at=rows.now - 50 * MINUTE)
    rows.run("succeeded", 40)
    rows.running(minutes_ago=90)
    assert spans(read(rows, 120, 60)) == [("succeeded", -80, 10, 1), ("succeeded", 50, 70, 1)]


def test_a_row_that_stands_for_several_times_lasts_until_the_last(rows: Rows) -> None:
    rows.schedule()
    last = rows.now - 30 * MINUTE
    rows.run("skipped", 90, reason="missed", count=7, last_scheduled_for=last, finished_at=rows.now - MINUTE)
    rows.run("skipped", 20, reason="overlap", finished_at=rows.now)
    rows.run("skipped", 95, reason="overlap", finished_at=rows.now)
    assert spans(read(rows, 60)) == [("missed", -30, 30, 7), ("skipped", 40, 40, 1)]


def test_a_backfill_is_where_it_ran_not_where_it_was_due(rows: Rows) -> None:
    rows.schedule()
    at = {"created_at": rows.now - 20 * MINUTE, "started_at": rows.now - 15 * MINUTE}
    rows.run("succeeded", 9_000, trigger="manual", finished_at=rows.now - 14 * MINUTE, **at)
    assert spans(read(rows, 60)) == [("succeeded", 45, 46, 1)]


def test_of_a_schedule_with_too_many_runs_the_latest_are_read(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOOKED_AT", 1)
    for name, minutes in (("often", 1_100), ("seldom", 3)):
        rows.schedule(name)
        rows.connection.execute(insert(run), [_ended(rows, name, minute) for minute in range(minutes, 0, -1)])
    found = read(rows, 1_200, 0, 100, "often", "seldom")
    assert (found["shop", "often"].is_cut, found["shop", "seldom"].is_cut) == (True, False)
    assert sum(span.runs for span in found["shop", "often"].spans) == 1_001
    assert min(span.begins for span in found["shop", "often"].spans) == pytest.approx(199 * 60, abs=90)


def test_a_run_that_another_replica_went_on_with_has_its_attempts(rows: Rows) -> None:
    rows.schedule()
    once, twice = rows.run("succeeded", 30, attempt=1), rows.run("succeeded", 20, attempt=2)
    for run_id in (once, twice):
        rows.job(run_id, "load", "abandoned", token=7, started_at=rows.now - 20 * MINUTE)
    rows.job(twice, "load", "succeeded", attempt=2, token=8, work_ended_at=rows.now)
    window = read_window(rows.connection, rows.now - HOUR, rows.now)
    found = read_attempts(rows.connection, [once, twice], window)
    assert [(one.token, one.is_lost) for one in found[twice]] == [(7, True), (8, False)]
    assert found[twice][0].begins == pytest.approx(40 * 60, abs=1)
    assert list(found) == [twice]


def test_no_run_with_a_lower_number_was_made_in_time_whatever_the_numbers(rows: Rows) -> None:
    rows.schedule()
    made = [rows.run("succeeded", minutes, id=number) for minutes, number in ((9_000, 3), (90, 90), (80, 1_000_000))]
    for minutes, first, end in (
        (60, made[-1] + 1, made[-1] + 1),
        (85, made[1] + 1, made[2] + 1),
        (7_000, made[0] + 1, made[2] + 1),
    ):
        window = read_window(rows.connection, rows.now - minutes * MINUTE + lanes.BEFORE, rows.now)
        assert (window.first, window.end) == (first, end)


def test_it_takes_as_many_statements_for_many_schedules_and_runs(rows: Rows) -> None:
    assert (read(rows, 60), _statements(rows.connection, lambda: read(rows, 60))) == ({}, 1)
    rows.schedule()
    rows.run("succeeded", 30)
    few = _statements(rows.connection, lambda: read(rows, 60))
    names = [f"s{number}" for number in range(30)]
    for name in names:
        rows.schedule(name)
        rows.connection.execute(insert(run), [_ended(rows, name, minute) for minute in range(300, 0, -1)])
    assert _statements(rows.connection, lambda: read(rows, 600, 0, 100, *names)) == few + 1


def _ended(rows: Rows, name: str, minutes: float) -> dict[str, Any]:
    at: datetime = rows.now - minutes * MINUTE
    times = {"scheduled_for": at, "created_at": at, "started_at": at, "finished_at": at + MINUTE / 60}
    return {
        "application": "shop",
        "schedule": name,
        "trigger": "manual",
        "state": "succeeded",
        "lease_name": f"run/shop/{name}",
        **times,
    }


def _statements(connection: Connection, unit: Callable[[], object]) -> int:
    with statements_on(connection) as sent:
        unit()
    return len(sent)


def about(seconds: float, most: float) -> Any:
    return pytest.approx(seconds, abs=most)


def test_the_latest_runs_are_there_with_what_was_skipped_and_what_crashed(rows: Rows) -> None:
    rows.schedule()
    rows.run("succeeded", 90)
    rows.run("succeeded", 60)
    skipped = rows.run("skipped", 50, reason="missed", count=7)
    failed = rows.run("failed", 40, reason="exited 3")
    crashed = rows.run("succeeded", 30, attempt=2, finished_at=rows.now - 20 * MINUTE)
    for attempt, minutes in ((1, 28), (2, 24)):
        rows.job(crashed, "work", "abandoned", attempt=attempt, finished_at=rows.now - minutes * MINUTE)
    running, waiting = rows.running(minutes_ago=9), rows.run("pending", 5, trigger="manual")
    found = read_strips(rows.connection, [KEY, ("shop", "unknown")], latest=5)
    assert list(found) == [KEY]
    assert found[KEY] == (
        StripRun("skipped", "missed", None, None, 7, skipped),
        StripRun("failed", None, 60, None, 1, failed),
        StripRun("succeeded", None, 600, about(360, 1e-3), 1, crashed),
        StripRun("running", None, about(540, 60), None, 1, running),
        StripRun("pending", None, None, None, 1, waiting),
    )


def test_a_renamed_schedule_keeps_its_runs_and_one_without_has_none(rows: Rows) -> None:
    rows.schedule()
    rows.connection.execute(update(schedule).where(schedule.c.name == "nightly").values(called="every night"))
    rows.schedule("new")
    run_id = rows.run("succeeded", 20)
    found = read_strips(rows.connection, [("shop", "every night"), ("shop", "new")])
    assert found == {
        ("shop", "every night"): (StripRun("succeeded", None, 60, None, 1, run_id),),
        ("shop", "new"): (),
    }
    assert read_strips(rows.connection, []) == {}


def test_on_sqlite_only_the_latest_runs_are_looked_at(sqlite_url: str) -> None:
    """However long the history is: the index on ids is read from its end."""
    with rows_in(sqlite_url) as rows:
        driver = rows.connection.connection.driver_connection
        assert driver is not None

        def steps(runs: int) -> int:
            for number in range(runs):
                rows.run("succeeded", 1000 - number, attempt=2, trigger="manual")
            taken = 0

            def count() -> None:
                nonlocal taken
                taken += 1

            driver.set_progress_handler(count, 10)
            (found,) = read_strips(rows.connection, [KEY]).values()
            driver.set_progress_handler(None, 0)
            assert len(found) == 30
            return taken

        rows.schedule()
        few = steps(30)
        assert steps(600) < 1.1 * few
