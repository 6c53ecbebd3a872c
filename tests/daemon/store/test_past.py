"""What went wrong since a moment, however green everything is by now."""

from typing import Any

import pytest

from daemon.store.views.lately import read_past
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import Problem, past_problems, problems
from daemon.text import when
from tests.daemon.store.test_views import MINUTE, Rows


@pytest.fixture
def rows(calm_rows: Rows) -> Rows:
    return calm_rows


def since(rows: Rows, minutes_ago: float = 60, **of: Any) -> list[Problem]:
    overview, start = read_overview(rows.connection), rows.now - minutes_ago * MINUTE
    return list(past_problems(overview, read_past(rows.connection, start, **of), start))


def test_a_run_that_failed_counts_after_a_newer_one_has_succeeded(rows: Rows) -> None:
    failed = rows.run("failed", 30, reason="orders failed")
    rows.run("succeeded", 10)
    assert problems(read_overview(rows.connection)) == ()
    at = when(rows.now - 29 * MINUTE)
    assert since(rows) == [
        Problem("failed", f"run {failed} of nightly failed at {at}: orders failed", "shop", "nightly", failed)
    ]
    assert since(rows, 29) != [], "it ended then"
    assert since(rows, 28) == since(rows, application="till") == []


def test_those_of_one_schedule_are_one_problem(rows: Rows) -> None:
    rows.run("failed", 40)
    rows.run("failed", 35)
    last = rows.run("failed", 30)
    rows.run("succeeded", 10)
    (problem,) = since(rows)
    assert problem.run_id == last
    assert problem.text.endswith(f"; 2 more runs failed since {when(rows.now - 60 * MINUTE)}")


def test_a_failure_that_is_a_problem_already_is_not_told_twice(rows: Rows) -> None:
    failed = rows.run("failed", 30)
    assert [problem.run_id for problem in problems(read_overview(rows.connection))] == [failed]
    assert since(rows) == []


def test_if_a_run_was_retried_only_the_retry_counts(rows: Rows) -> None:
    failed = rows.run("failed", 30)
    retry = rows.run("failed", 20, retry_of=failed, trigger="manual")
    rows.run("succeeded", 15)
    assert [problem.run_id for problem in since(rows)] == [retry]
    rows.run("succeeded", 10, retry_of=retry, trigger="manual")
    assert since(rows) == []


def test_a_run_counts_that_succeeded_after_its_deadline(rows: Rows) -> None:
    by = rows.now - 25 * MINUTE
    late = rows.run("succeeded", 30, finish_by=by, finished_at=by + MINUTE)
    rows.run("succeeded", 28, finish_by=by, finished_at=by)
    (problem,) = since(rows)
    assert (problem.kind, problem.run_id) == ("late to finish", late)
    assert problem.text == f"run {late} of nightly succeeded at {when(by + MINUTE)}, after its deadline {when(by)}"


def test_missed_times_count_for_longer_than_a_day_unless_the_schedule_leaves_them_out(rows: Rows) -> None:
    day = 24 * 60
    rows.schedule("asked", definition='{"catch_up": {"with exclude": "skip"}}')
    for name in ("nightly", "asked"):
        rows.run("skipped", 3 * day, schedule=name, reason="missed", count=4)
        rows.run("skipped", 10, schedule=name, reason="missed")
        rows.run("skipped", 9, schedule=name, reason="excluded")
    assert since(rows) == [], "it is a problem for a day anyway"
    (problem,) = since(rows, 7 * day)
    assert (problem.kind, problem.schedule, problem.run_id) == ("missed", "nightly", None)
    assert problem.text == f"nightly missed 5 scheduled times since {when(rows.now - 7 * day * MINUTE)}"


def test_what_failed_before_its_schedule_was_retired_or_renamed_counts(rows: Rows) -> None:
    rows.schedule("gone", retired_at=rows.now, retired_by="generation 2", next_due=None, enabled=False)
    rows.schedule("old", called="new")
    rows.run("failed", 30, schedule="gone")
    rows.run("failed", 30, schedule="old")
    rows.run("succeeded", 20, schedule="old")
    assert [problem.schedule for problem in since(rows)] == ["gone", "new"]
