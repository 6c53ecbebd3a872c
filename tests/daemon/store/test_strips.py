"""The last runs of schedules, on each database."""

from typing import Any

import pytest
from sqlalchemy import update

from daemon.store.tables import schedule
from daemon.store.views.lately import StripRun, read_strips
from tests.daemon.store.test_views import MINUTE, Rows, rows_in

KEY = ("shop", "nightly")


def about(seconds: float, most: float) -> Any:
    return pytest.approx(seconds, abs=most)


@pytest.fixture
def rows(rows: Rows) -> Rows:
    rows.schedule()
    return rows


def test_the_latest_runs_are_there_with_what_was_skipped_and_what_crashed(rows: Rows) -> None:
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
