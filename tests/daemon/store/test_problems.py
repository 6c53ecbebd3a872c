"""What fails or is left out is a problem, however green the rest of a schedule is; and what went wrong since a moment,
however green everything is by now.
"""

import re
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from daemon.store.policies import read_policies
from daemon.store.tables import replica, schedule
from daemon.store.views.lately import LATEST, LeftOut, read_past
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import Problem, past_problems, problems
from daemon.store.views.usual import ENOUGH_RUNS, Usual, long_for
from daemon.text import when
from tests.daemon.store.test_views import MINUTE, Rows

DAY = 24 * 60


@pytest.fixture
def rows(calm_rows: Rows) -> Rows:
    return calm_rows


def found(rows: Rows, kind: str) -> list[Problem]:
    return [problem for problem in problems(read_overview(rows.connection)) if problem.kind == kind]


def left_out(rows: Rows) -> LeftOut:
    (line,) = read_overview(rows.connection).schedules
    return line.left_out


def a_waiting_run(rows: Rows, failures: int, minutes_ago: float = 10, **values: Any) -> int:
    """Add a run that has failed, and waits for its retry in five minutes."""
    run_id = rows.run("pending", minutes_ago, available_at=rows.now + 5 * MINUTE, attempt=failures, **values)
    for attempt in range(1, failures + 1):
        rows.job(run_id, "orders", "failed", attempt=attempt, error=f"Traceback …\nValueError: no customer {attempt}\n")
    return run_id


# Failing


@pytest.mark.parametrize("state", ["pending", "running", "cancelled"])
def test_it_fails_until_a_run_has_succeeded_whatever_is_at_work_or_waits(rows: Rows, state: str) -> None:
    failed = rows.run("failed", 30, reason="orders failed")
    rows.running(minutes_ago=0.5) if state == "running" else rows.run(state, 0.5)
    (problem,) = found(rows, "failing")
    assert problem.run_id == failed
    assert problem.text == f"the last finished run of nightly failed (run {failed}: orders failed)"
    rows.run("succeeded", 0.1)
    assert found(rows, "failing") == []


def test_what_was_skipped_since_makes_nothing_good(rows: Rows) -> None:
    failed = rows.run("failed", 30, reason="orders failed")
    rows.run("skipped", 5)
    (problem,) = found(rows, "failing")
    assert (problem.run_id, problem.text.split(" failed")[0]) == (failed, "the last run of nightly")


def test_it_counts_how_many_runs_failed_since_one_succeeded(rows: Rows) -> None:
    rows.run("succeeded", 60)
    rows.run("failed", 50)
    rows.run("succeeded", 40)
    rows.run("failed", 30)
    last = rows.run("failed", 20, reason="no disk")
    rows.run("cancelled", 15)
    (problem,) = found(rows, "failing")
    assert problem.text == (
        f"the last finished run of nightly failed (run {last}: no disk); 2 have failed since one succeeded"
    )
    (line,) = read_overview(rows.connection).schedules
    assert line.failures == 2


def test_a_schedule_that_is_renamed_while_the_status_is_read_is_shown_as_it_was(rows: Rows) -> None:
    rows.run("failed", 30)

    def rename(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "looked_at" in statement:
            connection.execute(update(schedule).values(called="weekly"))

    event.listen(rows.connection, "before_cursor_execute", rename)
    assert [line.schedule for line in read_overview(rows.connection).schedules] == ["nightly"]
    assert [line.schedule for line in read_overview(rows.connection).schedules] == ["weekly"]


def test_a_run_fails_that_has_failed_three_attempts_in_a_row(rows: Rows) -> None:
    rows.run("succeeded", 60)
    run_id = a_waiting_run(rows, failures=2)
    assert found(rows, "failing") == []
    assert [one.why_text for one in read_overview(rows.connection).waiting] == [
        f"waits for the retry at {when(rows.now + 5 * MINUTE)}: ValueError: no customer 2"
    ]
    rows.job(run_id, "orders", "failed", attempt=3, error="ValueError: no customer 3")
    (problem,) = found(rows, "failing")
    assert problem.run_id == run_id
    assert problem.text.startswith(
        f'run {run_id} of nightly has failed 3 attempts in a row of job "orders" and waits for the retry at '
    )
    assert problem.text.endswith("(ValueError: no customer 3)")


def test_so_does_one_that_tries_again_at_this_moment(rows: Rows) -> None:
    run_id = rows.running(minutes_ago=10, attempt=4)
    for attempt in (1, 2, 3):
        rows.job(run_id, "orders", "failed", attempt=attempt)
    rows.job(run_id, "orders", "running", attempt=4)
    (problem,) = found(rows, "failing")
    assert problem.text == f'run {run_id} of nightly has failed 3 attempts in a row of job "orders"'


def test_attempts_of_several_jobs_and_those_before_a_success_are_not_in_a_row(rows: Rows) -> None:
    run_id = rows.running(minutes_ago=10, attempt=4)
    for position, job in enumerate(("customers", "orders", "prices")):
        rows.job(run_id, job, "failed", position=position)
    for attempt in (1, 2, 3):
        rows.job(run_id, "verify", "failed", attempt=attempt, position=3)
    rows.job(run_id, "verify", "succeeded", attempt=4, position=3)
    assert found(rows, "failing") == []


def test_a_run_fails_that_waits_for_its_retry_while_later_times_are_skipped_for_it(rows: Rows) -> None:
    run_id = a_waiting_run(rows, failures=1)
    other = rows.run("succeeded", 50)
    rows.run("skipped", 49, overlapped=other)
    assert found(rows, "failing") == []
    rows.run("skipped", 5, overlapped=run_id)
    rows.run("skipped", 4, overlapped=run_id, count=2, last_scheduled_for=rows.now)
    (problem,) = found(rows, "failing")
    assert problem.run_id == run_id
    assert 'has failed 1 attempt of job "orders" and waits for the retry at ' in problem.text
    assert "; 3 scheduled times after it were skipped because of it (" in problem.text


def test_many_failing_runs_of_a_schedule_are_one_problem(rows: Rows) -> None:
    first = a_waiting_run(rows, 3)
    a_waiting_run(rows, 3, 9)
    a_waiting_run(rows, 4, 8)
    (problem,) = found(rows, "failing")
    assert problem.run_id == first
    assert problem.text.endswith("; 2 more of its runs do so too")


# Long

_USUAL = {"9 runs": Usual(1.0, 10_000.0, 9), "short": Usual(1.0, 20.0, 10), "long": Usual(1.0, 2_400.0, 10)}


@pytest.mark.parametrize(
    ("seconds", "definition", "usual", "level"),
    [
        (600, "{}", None, None),
        (601, "{}", None, "warn"),
        (1801, "{}", "9 runs", "critical"),
        (3001, "{}", "short", "emergency"),
        (31, "{}", "short", None),
        (3600, "{}", "long", None),
        (3601, "{}", "long", "emergency"),
        (61, '{"long": {"warn": 60.0, "emergency": 90.0}}', "long", "warn"),
        (91, '{"long": {"warn": 60.0, "emergency": 90.0}}', None, "emergency"),
        (9_000_000, '{"long": {"critical": 1e7}}', "short", None),
        (9_000_000, '{"long": false}', "short", None),
        (601, "unreadable", None, "warn"),
        (601, '{"long": "in another shape"}', None, "warn"),
    ],
)
def test_a_run_is_long_by_what_was_set_otherwise_by_the_defaults_unless_it_is_usual(
    seconds: float, definition: str, usual: str | None, level: str | None
) -> None:
    long = long_for(seconds, read_policies(definition).long, _USUAL.get(usual or ""))
    assert (None if long is None else long.level) == level


def test_a_long_run_is_a_problem_with_its_level_unless_runs_of_its_schedule_usually_take_as_long(rows: Rows) -> None:
    assert found(rows, "long") == []
    long = rows.running(minutes_ago=31)
    rows.schedule("set", definition='{"long": {"emergency": 60.0}}')
    other = rows.running(minutes_ago=2, schedule="set")
    rows.schedule("never", definition='{"long": false}')
    rows.running(minutes_ago=900, schedule="never")
    assert [(one.level, re.sub(r"(?<=for )\w+", "…", one.text)) for one in found(rows, "long")] == [
        ("emergency", f"run {other} of set has been running for … on web-1:4711, which is an emergency (over 1m)"),
        ("critical", f"run {long} of nightly has been running for … on web-1:4711, which is critical (over 30m)"),
    ]
    for number in range(ENOUGH_RUNS):
        began = rows.now - (900 + number) * MINUTE
        rows.run("succeeded", 900 + number, started_at=began, finished_at=began + 25 * MINUTE, id=1_000 - number)
    assert [one.run_id for one in found(rows, "long")] == [other]


# Missed


def test_what_was_missed_is_a_problem_for_a_day(rows: Rows) -> None:
    rows.run("skipped", 5 * DAY, reason="missed", finished_at=rows.now - (DAY - 1) * MINUTE)
    rows.run("skipped", 400 * DAY, reason="missed", count=31_535_999, last_scheduled_for=rows.now - DAY * MINUTE)
    rows.run("skipped", 3 * DAY, reason="missed", finished_at=rows.now - (DAY + 1) * MINUTE)
    rows.run("succeeded", 1)
    (problem,) = found(rows, "missed")
    assert problem.text == "nightly missed 1 scheduled time in the last 24h"
    rows.run("skipped", 300 * DAY, reason="missed", count=31_535_999, finished_at=rows.now)
    (problem,) = found(rows, "missed")
    assert problem.text == "nightly missed 31,536,000 scheduled times in the last 24h"


def test_a_schedule_that_missed_its_times_and_has_never_run_stays_a_problem(rows: Rows) -> None:
    rows.schedule("new")
    rows.run("skipped", 9, schedule="new", reason="excluded")
    assert found(rows, "never ran") == [], "it was not meant to run"
    missed = rows.now - 3 * DAY * MINUTE
    rows.run("skipped", 3 * DAY, schedule="new", reason="missed")
    (problem,) = found(rows, "never ran")
    assert problem.text == f"new has never run: it missed its scheduled time {when(missed)}"
    rows.run("failed", 1, schedule="new")
    assert found(rows, "never ran") == []


def test_what_catch_up_leaves_out_as_asked_is_only_shown(rows: Rows) -> None:
    rows.schedule("asked", definition='{"catch_up": {"with exclude": "skip"}}')
    rows.run("skipped", 5, schedule="asked", reason="missed", count=12)
    (line, _) = read_overview(rows.connection).schedules
    assert (line.schedule, line.left_out.missed, line.left_out.missed_as_asked) == ("asked", 12, True)
    assert found(rows, "missed") == []


# Thinned


def test_what_is_skipped_by_overlap_is_shown_and_a_problem_above_half_of_the_latest(rows: Rows) -> None:
    for number in range(LATEST):
        rows.run("skipped" if number % 2 else "succeeded", 100 - number)
    assert (left_out(rows).overlapped, left_out(rows).latest) == (LATEST / 2, LATEST)
    assert found(rows, "thinned") == []
    rows.run("skipped", 1)
    assert (left_out(rows).overlapped, left_out(rows).latest) == (LATEST / 2 + 1, LATEST), "of the latest only"
    (problem,) = found(rows, "thinned")
    assert problem.text == (
        "16 of the last 30 scheduled times of nightly were skipped because an earlier run was active; "
        "its runs usually start 0s after their scheduled time, and take 1m"
    )
    assert (left_out(rows).median_wait, left_out(rows).median_seconds) == pytest.approx((0, 60), abs=1e-3)


def test_two_of_the_first_three_are_enough_but_not_one(rows: Rows) -> None:
    rows.run("skipped", 9)
    assert found(rows, "thinned") == []
    rows.run("succeeded", 8)
    rows.run("skipped", 7)
    assert [problem.text[:35] for problem in found(rows, "thinned")] == ["2 of the last 3 scheduled times of "]


def test_no_other_reason_thins_and_no_request_counts(rows: Rows) -> None:
    for number in range(20):
        rows.run("skipped", 100 - number, reason="paused" if number % 2 else "excluded")
        rows.run("succeeded", 200 - number, trigger="manual")
    assert left_out(rows) == LeftOut()
    rows.run("skipped", 5)
    assert left_out(rows).latest == 21


@pytest.mark.parametrize("values", [{"enabled": False}, {"paused": True}])
def test_a_schedule_that_is_not_to_run_is_not_thinned(rows: Rows, values: dict[str, bool]) -> None:
    given: dict[str, Any] = {"paused_at": rows.now} if "paused" in values else values
    rows.schedule("asleep", **given)
    for number in range(5):
        rows.run("skipped", 9 - number, schedule="asleep")
    assert found(rows, "thinned") == []


# Silent


def test_a_replica_that_missed_two_signs_of_life_is_silent_and_names_the_runs_that_others_may_take(rows: Rows) -> None:
    rows.replica("other")
    rows.connection.execute(update(replica).where(replica.c.holder == "replica-1").values(seen_at=rows.now))
    assert found(rows, "silent replica") == [], "it may come back a moment later"
    rows.connection.execute(
        update(replica).where(replica.c.holder == "replica-1").values(seen_at=rows.now - MINUTE / 2)
    )
    run_id = rows.running()
    (problem,) = found(rows, "silent replica")
    assert re.sub(r"\b[\d.]+[ms]\b", "…", problem.text) == (
        f"web-1:4711 was last seen … ago; if it stays silent, other replicas may take over run {run_id} in …"
    )
    rows.connection.execute(update(replica).values(seen_at=rows.now - MINUTE / 2))
    alone = f"and no other replica is running that can take over run {run_id}; start one: leased run FILE"
    assert [problem.text.endswith(alone) for problem in found(rows, "silent replica")].count(True) == 1


# Since a moment


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
