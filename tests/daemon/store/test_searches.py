"""What is searched for again and again is found without a look at all runs that were ever made."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, literal_column, update

from daemon.answers.status import StatusReader
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import stage
from daemon.store import statements
from daemon.store.statements import dialects
from daemon.store.tables import ScheduleKey, schedule
from daemon.store.views.history import read_runs
from daemon.store.views.lanes import TimeWindow, read_window, read_window_runs
from daemon.store.views.lately import read_past, read_streaks
from daemon.store.views.overview import read_running
from daemon.store.views.report import read_report
from daemon.store.views.targets import read_targets
from daemon.store.views.usual import read_usual
from lease.database.dialects import now
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule, an_application

TEN = [f"s{number}" for number in range(10)]


def fill(url: str, *rows: str, schedules: Sequence[str] = ("daily",), is_analyzed: bool = True) -> None:
    with Store(url) as store:
        store.sync(*map(a_schedule, schedules))
        for one in rows:
            store.do(Connection.exec_driver_sql, one)
        if is_analyzed:
            store.analyze()


SEARCHES: dict[str, Callable[[Connection], Any]] = {
    "pending definitions": lambda c: statements.renames.pending_definitions(c, "shop"),
    "cancelled with their schedule": lambda c: statements.renames.cancel_retired(c, "shop", ["x"]),
    "marked and pending": lambda c: statements.run.find_marked(c, "shop"),
    "not over, of schedules": lambda c: statements.run.find_unfinished(c, {("shop", "daily")}),
    "running, of schedules": lambda c: read_running(c, None, only={("shop", "daily")}),
    "running anywhere": lambda c: read_running(c, None),
    "marked and pending anywhere": lambda c: statements.run.find_marked(c, None),
}
OF_PLACED: dict[str, Callable[[Connection], Any]] = {
    "the one to promote, and those ahead": lambda c: statements.claims.promote(c, {("shop", "daily")}),
    "still running": lambda c: statements.schedule.still_running(c, "shop", ["daily"]),
    "overlapped": lambda c: statements.schedule.unfinished_of_each(c, "shop", {"daily"}),
    "replaced by a newer run": lambda c: statements.schedule.mark_older(c, "shop", [("daily", 7)]),
    "ahead of the one that replaces": lambda c: statements.schedule.start_replacing(c, [(7, datetime.now(UTC))]),
}
"""Searches that 10⁵ runs of the schedule that are requested for later do not slow."""


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_sqlite_searches_the_runs_that_are_not_over(sqlite_url: str, search: Callable[[Connection], Any]) -> None:
    (plan,) = (plan for plan in explained(sqlite_url, search) if " run" in plan)
    assert "run_unfinished_idx" in plan


_FOR_LATER = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, place_at, created_at)
    SELECT 'shop', 'daily', clock_timestamp(), 'manual', 'pending', 'x', clock_timestamp() + make_interval(days => 1),
           clock_timestamp()
    FROM generate_series(1, 20000)
"""


@pytest.mark.parametrize("application", [None, "shop"])
def test_sqlite_reads_a_status_and_the_window_of_a_timeline_without_a_look_at_all_runs(
    sqlite_url: str, application: str | None
) -> None:
    until = datetime.now(UTC)
    with Store(sqlite_url) as store:
        store.sync(a_schedule("daily"))

    def read(connection: Connection) -> None:
        StatusReader(application, None, None, None, None, 60.0, with_deadlines=True).read(connection)
        read_window(connection, until - timedelta(hours=1), until)

    scans = [plan for plan in explained(sqlite_url, read) if re.search(r"\bSCAN run\b", plan)]
    assert all("run_unfinished_idx" in plan for plan in scans), scans


def test_sqlite_reads_the_messages_once_for_all_targets_and_not_again_for_the_last_error_of_each(
    sqlite_url: str,
) -> None:
    plans = explained(sqlite_url, read_targets)
    assert not [plan for plan in plans if "CORRELATED" in plan], plans


@pytest.mark.parametrize("search", OF_PLACED.values(), ids=OF_PLACED)
def test_sqlite_searches_by_no_run_that_has_no_place_yet(sqlite_url: str, search: Callable[[Connection], Any]) -> None:
    plans = [plan for plan in explained(sqlite_url, search) if "schedule=?" in plan]
    assert plans
    assert all("run_placed_idx" in plan for plan in plans), plans


@pytest.mark.parametrize("search", OF_PLACED.values(), ids=OF_PLACED)
def test_postgresql_searches_by_no_run_that_has_no_place_yet(
    postgres_url: str, search: Callable[[Connection], Any]
) -> None:
    fill(postgres_url, _FOR_LATER)
    plans = explained(postgres_url, search)
    assert any("run_placed_idx" in plan for plan in plans), plans
    assert not any("run_unfinished_idx" in plan for plan in plans), plans


_WAITING = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, queue, available_at, created_at)
    SELECT 'shop', 'daily', clock_timestamp(), 'manual', 'pending', 'api', 'api', clock_timestamp(), clock_timestamp()
    FROM generate_series(1, 20000)
"""
IDS = range(1, 1001)
BY_ID: dict[str, Callable[[Connection], Any]] = {
    "locked for a cancel": lambda c: statements.run.lock_many(c, IDS),
    "marked as cancelled": lambda c: statements.run.mark_cancelled(c, IDS, "ada", None),
    "ended as cancelled": lambda c: statements.run.end_marked(c, IDS),
    "tried again": lambda c: statements.retries.read_tried(c, IDS, lock=True),
    "given leases of their own": lambda c: statements.run.name_own_leases(c, IDS, "run/shop/daily"),
    "placed": lambda c: statements.requests.place(c, ((number, False) for number in IDS)),
}
"""What is done to a thousand runs by their numbers."""


@pytest.mark.parametrize("act", BY_ID.values(), ids=BY_ID)
def test_postgresql_looks_up_by_number_among_many_that_wait_before_it_has_statistics(
    postgres_url: str, act: Callable[[Connection], Any]
) -> None:
    """It takes it then that hardly any run waits, and would go through all numbers for each of them."""
    fill(postgres_url, _WAITING, is_analyzed=False)
    plans = explained(postgres_url, act)
    assert any("run_pkey" in plan for plan in plans), plans
    assert not any(index in plan for index in ("unfinished", "queue_idx", "place_idx") for plan in plans), plans


_HISTORY = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, reason, lease_name, created_at, finished_at)
    SELECT 'shop', 's' || mod(number, 10), clock_timestamp(), 'manual',
           CASE WHEN mod(number, 20) = 7 THEN 'failed' ELSE 'succeeded' END, 'no', 'x', clock_timestamp(),
           clock_timestamp() - make_interval(mins => number)
    FROM generate_series(1, 20000) AS number
"""
_ATTEMPTS = """
    INSERT INTO job_run (run_id, job, position, attempt, state, token, holder, started_at, finished_at)
    SELECT id, 'work', 0, 1, 'succeeded', 1, 'h', created_at, finished_at FROM run
"""
_PENDING = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, available_at, created_at)
    SELECT 'shop', 'daily', clock_timestamp(), 'manual', 'pending', 'x', clock_timestamp(), clock_timestamp()
    FROM generate_series(1, 2000)
"""
_DUE_LATER = """
    INSERT INTO schedule (application, name, definition, digest, trigger, enabled, anchor, planned_until, next_due,
                          changed_at, synced_at, created_at)
    SELECT application, name || number, definition, digest, trigger, enabled, anchor, planned_until,
           transaction_timestamp() + make_interval(mins => 30), changed_at, changed_at, created_at
    FROM schedule, generate_series(1, 20000) AS number
"""
OF_FEW: dict[str, tuple[str, Callable[[Connection], Any]]] = {
    "whose moment has come": ("run_place_idx", lambda c: statements.requests.due(c, "shop", 1000)),
    "that did not start in time": ("run_start_by_idx", lambda c: statements.run.late(c, "shop")),
    "late to finish": ("run_finish_by_idx", lambda c: statements.run.take_late(c, "shop")),
}
"""Searches that ask for few of the runs that are not over, by an index that has these alone."""


@pytest.mark.parametrize(("index", "search"), OF_FEW.values(), ids=OF_FEW)
def test_postgresql_searches_for_few_without_a_look_at_all_that_wait(
    postgres_url: str, index: str, search: Callable[[Connection], Any]
) -> None:
    """PostgreSQL takes it that a third of all runs, and there is a history, are before a moment that it does not know."""
    fill(postgres_url, _PENDING, _HISTORY, schedules=("daily", *TEN))
    plans = explained(postgres_url, search)
    assert any(index in plan for plan in plans), plans
    assert not any("Seq Scan on run" in plan or "run_unfinished_idx" in plan for plan in plans), plans


def test_postgresql_searches_what_is_due_without_a_look_at_all_that_is_due_later(postgres_url: str) -> None:
    fill(postgres_url, _DUE_LATER)
    plans = explained(postgres_url, lambda c: statements.schedule.due(c, "shop", 500))
    (estimated,) = (re.search(r"rows=(\d+)", plan) for plan in plans if "schedule_due_idx" in plan)
    assert estimated is not None
    assert int(estimated[1]) < 10, "of a million it would look at each"


def test_what_became_due_while_the_transaction_waited_is_found(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a sync waits for its turn: what is due by a timing that it replaces would be lost (rule 13)."""
    soon = str(dialects.SOON).replace("1 minute", "0 s")
    assert soon != str(dialects.SOON)
    monkeypatch.setattr(dialects, "SOON", literal_column(soon))
    # Built anew: what another test has built is kept.
    monkeypatch.setattr(statements.schedule, "_due", statements.schedule._due.__wrapped__)
    with Store(postgres_url) as store:
        store.sync(a_schedule("daily"))
        with store.begin() as connection:
            connection.execute(update(schedule).values(next_due=now()))  # later than the transaction began
            assert [row.name for row in statements.schedule.due(connection, "shop", 500)] == ["daily"]


def test_sqlite_searches_what_has_failed_lately_by_its_index(sqlite_url: str) -> None:
    plans = explained(sqlite_url, lambda c: statements.retries.find_failed(c, {("shop", "s1")}, 3600.0))
    assert [name for name in ("run_failed_idx", "run_retry_key") if any(name in plan for plan in plans)] == [
        "run_failed_idx",
        "run_retry_key",
    ]
    assert not any(plan.startswith("SCAN run") for plan in plans)


@pytest.mark.parametrize("is_analyzed", [False, True])
def test_postgresql_searches_what_has_failed_lately_by_its_index(postgres_url: str, *, is_analyzed: bool) -> None:
    fill(postgres_url, _HISTORY, schedules=TEN, is_analyzed=is_analyzed)
    keys = {("shop", name) for name in TEN}
    plans = explained(postgres_url, lambda c: statements.retries.find_failed(c, keys, 3600.0))
    assert not any("Seq Scan on run" in plan for plan in plans), plans
    assert any("run_failed_idx" in plan for plan in plans)


_WAITING_FIRST = _WAITING.replace("'api', 'api'", "'api', 'high'")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_run_that_goes_first_is_found_by_the_indexes_of_the_claim(
    kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    application = an_application(a_schedule("daily", priority="high"), a_schedule("slow", priority="low"))
    with Store(url) as store:
        store.do(stage, application, by="a test")
        store.do(registry.register, own_entry("h1", "shop", application.digest))
        if kind == "postgres":
            store.do(lambda connection: connection.exec_driver_sql(_WAITING_FIRST))
        store.do(trigger, "shop", "slow", requested_by="ada")
    plans = explained(url, lambda c: read_runs(c, limit=1))
    assert all(any(index in plan for plan in plans) for index in ("run_queue_idx", "run_claim_idx")), "\n".join(plans)


def test_a_report_reads_a_night_by_indexes_and_no_attempt_of_other_runs(postgres_url: str, sqlite_url: str) -> None:
    night = _HISTORY.replace("'s' || mod(number, 10), clock_timestamp()", "'s' || mod(number, 10), {moment}")
    night = night.replace("'manual'", "'schedule'").format(moment="clock_timestamp() - make_interval(mins => number)")
    fill(postgres_url, night, _ATTEMPTS, schedules=TEN)
    since = datetime.now(UTC) - timedelta(hours=8)
    plans = explained(postgres_url, lambda c: read_report(c, since))
    assert [plan for plan in plans if "Seq Scan on run" in plan or "Seq Scan on job_run" in plan] == []
    assert any("run_instant_key" in plan for plan in plans)
    plans = explained(sqlite_url, lambda c: read_report(c, since))
    assert [plan for plan in plans if plan.startswith(("SCAN run", "SCAN job_run", "SCAN one"))] == []


@pytest.mark.parametrize("read", [read_usual, read_streaks], ids=["usual", "streaks"])
def test_sqlite_reads_the_latest_runs_of_a_schedule_until_it_has_found_enough(
    sqlite_url: str, read: Callable[[Connection, set[ScheduleKey]], object]
) -> None:
    """It would read two thousand to sort what comes in order."""
    plans = explained(sqlite_url, lambda c: read(c, {("shop", "daily")}))
    assert any("run_history_idx" in plan for plan in plans)
    assert [plan for plan in plans if "TEMP B-TREE" in plan] == []


@pytest.mark.parametrize("of", [{"application": "shop"}, {"state": "running"}], ids=str)
def test_sqlite_lists_the_latest_runs_without_all_of_the_application_and_without_those_that_are_over(
    sqlite_url: str, of: dict[str, Any]
) -> None:
    with Store(sqlite_url) as store:
        store.sync(a_schedule("daily"))
    plans = explained(sqlite_url, lambda c: read_runs(c, limit=20, **of))
    first = plans[0]
    if "state" in of:
        assert "run_unfinished_idx" in first or "run_running_idx" in first
    else:
        assert first == "SCAN run", "in the order of their numbers, until there are enough"


_MANY = """
    INSERT INTO schedule (application, name, definition, digest, trigger, enabled, anchor, planned_until, next_due,
                          changed_at, synced_at, created_at)
    SELECT application, 's' || number, definition, digest, trigger, enabled, anchor, planned_until, next_due, changed_at,
           changed_at, created_at
    FROM schedule, generate_series(0, 1999) AS number
"""


def test_the_latest_runs_of_a_window_are_read_by_schedule(postgres_url: str) -> None:
    """PostgreSQL would compare each run, from the newest on, with each of the schedules."""
    names = [("shop", f"s{number}") for number in range(100)]
    fill(postgres_url, _MANY, _HISTORY.replace("mod(number, 10)", "mod(number, 2000)"))
    until = datetime.now(UTC)
    window = TimeWindow(until - timedelta(days=7), until, 1, 20_001)
    plans = explained(postgres_url, lambda c: read_window_runs(c, names, window, None, 25))
    assert any("json_array_elements keys_json" in plan for plan in plans), plans
    assert any("Backward using run_history_idx" in plan for plan in plans)


def test_postgresql_reads_a_status_and_the_runs_of_a_schedule_by_indexes_of_many_runs(postgres_url: str) -> None:
    """It holds a join with all runs for cheaper than to look up the last of each of many schedules."""
    history = _HISTORY.replace("mod(number, 10)", "mod(number, 2000)")
    fill(postgres_url, _MANY, history, "UPDATE run SET started_at = created_at")
    reader = StatusReader(None, None, None, None, None, 60.0, with_deadlines=True)
    plans = explained(postgres_url, reader.read)
    assert any("run_history_idx" in plan for plan in plans)
    assert [plan for plan in plans if "Seq Scan on run" in plan or "hashed" in plan] == [], "\n".join(plans)
    plans = explained(postgres_url, lambda c: read_runs(c, limit=20, schedule="s7"))
    assert any("run_history_idx" in plan for plan in plans)
    assert [plan for plan in plans if "run_pkey" in plan] == []


def explained(url: str, search: Callable[[Connection], Any]) -> list[str]:
    """Return the lines of the plans of a search."""
    plans: list[str] = []
    verb = "EXPLAIN QUERY PLAN" if url.startswith("sqlite") else "EXPLAIN"

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "EXPLAIN" not in statement:
            plans.extend(row[-1] for row in connection.exec_driver_sql(f"{verb} {statement}", parameters))

    with Store(url) as store, store.begin() as connection:
        event.listen(connection, "before_cursor_execute", explain)
        search(connection)
    return plans


_ON_TIME = """
    INSERT INTO run (application, schedule, scheduled_for, trigger, state, lease_name, created_at, finished_at, finish_by)
    SELECT 'shop', 'daily', clock_timestamp() - make_interval(mins => n), 'schedule', 'succeeded', 'x',
           clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(hours => 1)
    FROM generate_series(1, 20000) AS n
"""


@pytest.mark.conformance
def test_what_succeeded_too_late_is_read_without_a_look_at_what_was_on_time(database_url: str) -> None:
    with Store(database_url) as store:
        store.sync(a_schedule("daily", finish_by="1h"))
        if not store.sqlite:
            store.do(Connection.exec_driver_sql, _ON_TIME)
            store.analyze()
    plans = explained(database_url, lambda c: read_past(c, datetime.now(UTC) - timedelta(days=1)))
    assert any("run_late_idx" in plan for plan in plans), plans
    assert not [plan for plan in plans if re.search(r"SCAN run$|Seq Scan on run\b", plan)], plans
