"""What became of all that was due in a night, however it ended."""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import pytest
from sqlalchemy import insert, update

from daemon.definitions.triggers.trigger import Every
from daemon.scheduling.plan_due import plan_due
from daemon.store.tables import act, backfill, generation, pruned, schedule
from daemon.store.views.report import Report, Totals, read_report
from daemon.store.views.report.report import merged, within
from daemon.text import when
from lease.database.dialects import later, now
from tests.daemon.store.test_views import MINUTE, Rows
from tests.support.store import Store, a_schedule, statements_on

HOUR = 60 * MINUTE


@pytest.fixture
def rows(calm_rows: Rows) -> Rows:
    return calm_rows


def report(rows: Rows, since: float = 60, until: float | None = None, **of: Any) -> Report:
    end = None if until is None else rows.now - until * MINUTE
    return read_report(rows.connection, rows.now - since * MINUTE, end, **of)


def outcomes(of: Totals) -> int:
    return of.succeeded + of.failed + of.cancelled + of.missed + of.active + sum(of.skipped.values())


def test_each_scheduled_time_has_one_outcome_and_their_sum_is_what_was_due(rows: Rows) -> None:
    rows.schedule("hourly")
    for minutes, state in enumerate(("succeeded", "failed", "cancelled"), 20):
        rows.run(state, minutes)
    for minutes, reason in enumerate(("missed", "overlap", "overlap", "paused", "replaced", "excluded"), 30):
        rows.run("skipped", minutes, reason=reason)
    rows.run("pending", 0.5)
    rows.running(minutes_ago=10)
    rows.run("succeeded", 30, schedule="hourly")
    rows.run("succeeded", 61, schedule="hourly")
    rows.run("skipped", 25, schedule="hourly", reason="paused", count=5, last_scheduled_for=rows.now - 20 * MINUTE)
    found = report(rows)
    nightly, hourly = found.items
    assert (nightly.schedule, nightly.due, outcomes(nightly)) == ("nightly", 11, 11)
    assert (nightly.succeeded, nightly.failed, nightly.cancelled, nightly.missed, nightly.active) == (1, 1, 1, 1, 2)
    assert nightly.skipped == {"overlap": 2, "paused": 1, "replaced": 1, "excluded": 1}
    assert (hourly.due, outcomes(hourly), hourly.skipped) == (6, 6, {"paused": 5})
    assert (found.totals.due, outcomes(found.totals), found.totals.lost) == (17, 17, 2)
    assert not found.ok


def test_the_report_begins_with_its_first_moment_and_ends_before_its_last(rows: Rows) -> None:
    for minutes in (60, 40, 20):
        rows.run("succeeded", minutes)
    assert report(rows, 60, 20).totals.due == 2
    assert report(rows, 59, 19).totals.due == 2


def test_a_failed_run_is_not_lost_if_its_last_retry_succeeded_or_is_active(rows: Rows) -> None:
    well, again, active = (rows.run("failed", minutes) for minutes in (50, 40, 30))
    first = rows.run("failed", 49, retry_of=well, trigger="manual")
    rows.run("succeeded", 48, retry_of=first, trigger="manual")
    rows.run("pending", 30, retry_of=active, trigger="manual")
    assert (report(rows).totals.lost, report(rows).totals.made_good, report(rows).totals.retrying) == (1, 1, 1)
    last = rows.run("failed", 39, retry_of=again, trigger="manual")
    (line,) = report(rows).items
    assert (line.lost, line.retried, line.requested_failed, line.last_failed_run_id) == (1, 3, 0, last)
    assert line.next(report(rows).since, rows.now)[:2] == (f"leased show {last}", f"leased retry {last}")


def test_what_was_missed_is_lost_unless_a_backfill_succeeded_or_the_schedule_leaves_it_out(rows: Rows) -> None:
    rows.schedule("asked", definition='{"catch_up": {"with exclude": "skip"}}')
    rows.run("skipped", 50, schedule="asked", reason="missed")
    rows.run("skipped", 40, reason="missed", count=3, last_scheduled_for=rows.now - 38 * MINUTE)
    rows.run("failed", 30)
    rows.run("skipped", 20, reason="overlap")
    assert report(rows).totals.lost == 4
    times = {"first": rows.now - 40 * MINUTE, "last": rows.now - 20 * MINUTE, "created_at": rows.now}
    of = {"application": "shop", "schedule": "nightly", "at_most": 1, "instants": 4, "requested_by": "ann"}
    made = rows.connection.execute(insert(backfill).values(times | of).returning(backfill.c.id)).scalar_one()
    for minutes in (39, 30, 20):
        rows.run("succeeded", minutes, trigger="manual", backfill=made)
    asked, nightly = sorted(report(rows).items, key=lambda line: line.schedule)
    assert (asked.missed, asked.lost) == (1, 0)
    assert (nightly.lost, nightly.made_good, nightly.missed, nightly.failed) == (2, 2, 3, 1)


def test_a_run_on_request_that_failed_for_good_counts_apart(rows: Rows) -> None:
    failed = rows.run("failed", 30, trigger="manual")
    found = report(rows)
    assert (found.totals.due, found.totals.requested_failed, found.ok) == (0, 1, False)
    assert found.verdict == "1 run on request failed: 0 due"
    rows.run("succeeded", 20, trigger="manual", retry_of=failed, origin=failed)
    assert report(rows).ok


def test_late_retried_and_recovered_runs_are_counted_among_those_that_succeeded(rows: Rows) -> None:
    due = rows.now - 30 * MINUTE
    rows.run("succeeded", 30, attempt=1, available_at=due, started_at=due + 2 * MINUTE)
    rows.run("succeeded", 29, attempt=1, available_at=due + MINUTE, finish_by=due + 1.5 * MINUTE)
    jittered = {"available_at": due + 9 * MINUTE, "started_at": due + 9 * MINUTE, "finished_at": due + 10 * MINUTE}
    rows.run("succeeded", 28, attempt=1, **jittered)
    flaky = rows.run("succeeded", 27, attempt=2, available_at=due + 20 * MINUTE)
    rows.job(flaky, "work", "failed")
    crashed = rows.run("succeeded", 26, attempt=2)
    rows.job(crashed, "work", "abandoned")
    rows.job(crashed, "work", "succeeded", attempt=2)
    (line,) = report(rows).items
    assert (line.succeeded, line.late, line.retried, line.recovered, line.lost) == (5, 2, 1, 1, 0)
    assert not line.is_plain


def test_what_no_replica_has_planned_is_a_problem_and_no_due_time_that_is_counted(rows: Rows) -> None:
    rows.schedule("waits", next_due=rows.now - 30 * MINUTE)
    rows.schedule("off", next_due=rows.now - 30 * MINUTE, enabled=False)
    rows.schedule("soon", next_due=rows.now - MINUTE / 2)
    (line,) = report(rows).items
    assert (line.schedule, line.due, line.not_planned_since) == ("waits", 0, rows.now - 30 * MINUTE)
    at = when(rows.now - 30 * MINUTE)
    assert report(rows).verdict == f"no replica has planned what was due of 1 schedule since {at}: 0 due"
    assert report(rows, until=40).items == [], "it was due later"


@pytest.mark.parametrize("from_the_start", [False, True])
def test_due_is_what_the_definition_says_also_where_a_long_outage_is_cut(
    database_url: str, *, from_the_start: bool
) -> None:
    """5,400 times that were missed have 1,000 rows and one that counts the others; the report begins within these."""
    every = a_schedule(trigger=Every(10.0), catch_up="skip")
    with Store(database_url) as store:
        store.sync(every)
        back = {"planned_until": later(now(), -15 * 3600.0), "anchor": later(now(), -15 * 3600.0)}
        store.do(
            lambda connection: connection.execute(update(schedule).values(back | {"next_due": later(now(), -1.0)}))
        )
        while store.do(plan_due, "shop", {"sync": every}).more:
            pass
        (row,) = store.schedules().values()
        until: datetime = row.planned_until - timedelta(hours=5 if from_the_start else 6)
        since = row.anchor - timedelta(hours=1) if from_the_start else row.anchor + timedelta(hours=2)
        found = store.do(read_report, since, until)
        instants = list(takewhile(lambda at: at < until, every.instants(row.anchor, row.anchor)))
        (line,) = found.items
        assert line.due == outcomes(line) == line.missed == sum(since <= at for at in instants)
        assert line.estimated
        whole = store.do(read_report, row.anchor, row.planned_until + timedelta(seconds=1))
        assert (whole.totals.due, whole.items[0].estimated) == (5_400, False)


def test_an_outage_is_when_no_replica_was_running_or_none_could_plan(rows: Rows) -> None:
    rows.connection.exec_driver_sql("DELETE FROM replica")
    rows.replica(
        "first", "stopped", started_at=rows.now - 5 * HOUR, seen_at=rows.now, stopped_at=rows.now - 50 * MINUTE
    )
    rows.replica("second", started_at=rows.now - 40 * MINUTE)
    (outage,) = report(rows).outages
    assert (outage.application, outage.since, outage.until) == (
        "shop",
        rows.now - 50 * MINUTE,
        rows.now - 40 * MINUTE,
    )
    assert report(rows, 30).outages == report(rows, 300, 51).outages == []
    away = {"away_from": rows.now - 20 * MINUTE, "created_at": rows.now - 10 * MINUTE}
    rows.run("skipped", 15, reason="missed", finished_at=rows.now - 10 * MINUTE, **away)
    assert [one.since for one in report(rows).outages] == [rows.now - 50 * MINUTE, rows.now - 20 * MINUTE]


def test_an_outage_that_lasts_has_no_end_and_a_retired_application_none(rows: Rows) -> None:
    rows.connection.exec_driver_sql("DELETE FROM replica")
    dead = {"started_at": rows.now - 5 * HOUR, "seen_at": rows.now - 30 * MINUTE}
    rows.replica("dead", "dead", stopped_at=rows.now - 29 * MINUTE, **dead)
    rows.replica("old", "stopped", application="till", stopped_at=rows.now - 30 * MINUTE, **dead)
    assert [(one.since, one.until) for one in report(rows).outages] == [(rows.now - 30 * MINUTE, None)]


def test_deploys_and_acts_of_the_time_are_listed_and_what_is_alike_is_one(rows: Rows) -> None:
    came = {
        "digest": "d",
        "brought_by": "web-1:1",
        "came_at": rows.now,
        "rules": False,
        "in_lieu": False,
        "run_digests": "{}",
    }
    for number, minutes in ((1, 90), (2, 30)):
        at = {"application": "shop", "number": number, "ruled_at": rows.now - minutes * MINUTE}
        rows.connection.execute(insert(generation).values(came | at | {"changes": "1 changed"}))
    did = {"acted_by": "ann", "act": "pause", "application": "shop", "why": "the bank is closed"}
    for name, minutes in (("b", 5), ("a", 5), ("a", 90)):
        at = {"schedule": name, "acted_at": rows.now - minutes * MINUTE}
        rows.connection.execute(insert(act).values(did | at))
    found = report(rows)
    assert [(one.generation, one.by, one.changes) for one in found.deploys] == [(2, "web-1:1", "1 changed")]
    assert [(one.act, one.by, one.count, one.schedule, one.schedules) for one in found.acts] == [
        ("pause", "ann", 2, "a", 2)
    ]
    assert report(rows, application="till").acts == []


def test_history_that_was_deleted_is_said(rows: Rows) -> None:
    until = rows.now - 30 * MINUTE
    rows.connection.execute(insert(pruned).values(application="shop", schedule="nightly", until=until))
    assert (report(rows).pruned_until, report(rows, 20).pruned_until) == (until, None)


def test_problems_come_first_and_a_renamed_schedule_has_its_new_name(rows: Rows) -> None:
    rows.schedule("a")
    rows.schedule("old", called="new")
    rows.run("succeeded", 30, schedule="a")
    rows.run("failed", 30, schedule="old")
    rows.run("skipped", 30, reason="overlap")
    assert [line.schedule for line in report(rows).items] == ["new", "nightly", "a"]


def test_a_report_takes_as_many_statements_for_many_schedules_as_for_one(rows: Rows) -> None:
    with statements_on(rows.connection) as few:
        report(rows)
    for number in range(20):
        rows.schedule(f"s{number}")
        rows.run("failed", 30, schedule=f"s{number}")
    with statements_on(rows.connection) as many:
        report(rows)
    assert len(many) == len(few) <= 12


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ({}, "Nothing was lost: 0 due"),
        (
            {"due": 4, "succeeded": 2, "active": 1, "skipped": {"overlap": 1}},
            "Nothing was lost so far: 4 due, 2 succeeded, 1 skipped (overlap), 1 active",
        ),
        (
            {"due": 413, "succeeded": 409, "failed": 1, "made_good": 1, "skipped": {"paused": 1, "overlap": 2}},
            "Nothing was lost: 413 due, 409 succeeded, 3 skipped (2 overlap, 1 paused), 1 failed and was retried",
        ),
        (
            {"due": 4, "succeeded": 1, "failed": 2, "missed": 1, "made_good": 1, "lost": 2},
            "2 scheduled times were lost: 4 due, 1 succeeded, 1 missed, 2 failed, 1 of these retried or backfilled",
        ),
        (
            {"due": 1, "failed": 1, "lost": 1, "requested_failed": 2},
            "1 scheduled time was lost and 2 runs on request failed: 1 due, 0 succeeded, 1 failed",
        ),
    ],
)
def test_the_verdict_is_one_sentence(counts: dict[str, Any], sentence: str) -> None:
    at = datetime.now().astimezone()
    assert Report(at, at, at, Totals(**counts), [], [], [], [], None).verdict == sentence


def test_of_evenly_spaced_times_those_within_are_counted() -> None:
    first = datetime(2026, 7, 1).astimezone()
    last = first + 9 * MINUTE
    assert within(first, last, 10, first, last + MINUTE) == 10
    assert within(first, last, 10, first + MINUTE, last) == 8
    assert within(first, last, 10, first + 1.5 * MINUTE, first + 3.5 * MINUTE) == 2
    assert within(first, first, 1, first, last) == 1
    assert within(first, first, 1, first + MINUTE, last) == 0


def test_pieces_of_time_that_meet_are_one() -> None:
    at = datetime(2026, 7, 1).astimezone()
    spans = [(at + 5 * MINUTE, at + 6 * MINUTE), (at, at + 2 * MINUTE), (at + MINUTE, at + 3 * MINUTE)]
    assert merged(spans) == [(at, at + 3 * MINUTE), (at + 5 * MINUTE, at + 6 * MINUTE)]
