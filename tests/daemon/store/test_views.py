"""What status, runs, show, locks and replicas read, on each database."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Connection, create_engine, insert, select, update
from sqlalchemy.pool import NullPool

from daemon.answers.status import StatusFound
from daemon.cli.commands.reading.status import drains, show_status
from daemon.cli.screen import Times
from daemon.store.tables import job_run, replica, run, schedule
from daemon.store.views import usual
from daemon.store.views.history import read_run, read_runs
from daemon.store.views.locks import held_by_programs, read_locks
from daemon.store.views.names import applications_with, schedule_names
from daemon.store.views.overview import Overview, read_overview
from daemon.store.views.problems import problems
from daemon.store.views.replicas import read_replicas
from daemon.store.views.values import plain
from daemon.text import when
from lease import statements
from lease.database.dialects import now
from lease.model import Grant
from lease.schema import lease
from tests.support.store import statements_on

MINUTE = timedelta(minutes=1)


class Rows:
    """Puts rows into a database, with what a test does not care about filled in."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.now: datetime = connection.execute(select(now())).scalar_one()

    def schedule(self, name: str = "nightly", application: str = "shop", **values: Any) -> None:
        filled = {
            "application": application,
            "name": name,
            "definition": "{}",
            "digest": "d",
            "trigger": "cron 0 2 * * *",
            "enabled": True,
            "next_due": self.now + 5 * MINUTE,
            "planned_until": self.now,
            "anchor": self.now,
            "changed_at": self.now,
            "synced_at": self.now,
            "created_at": self.now,
        }
        self.connection.execute(insert(schedule).values(filled | values))

    def run(self, state: str, minutes_ago: float = 10, **values: Any) -> int:
        scheduled_for = self.now - minutes_ago * MINUTE
        filled = {
            "application": "shop",
            "schedule": "nightly",
            "scheduled_for": scheduled_for,
            "trigger": "schedule",
            "state": state,
            "lease_name": f"run/{values.get('application', 'shop')}/{values.get('schedule', 'nightly')}",
            "created_at": scheduled_for,
        }
        if state in ("failed", "skipped", "cancelled"):
            filled["reason"] = "overlap"
        if state in ("succeeded", "failed", "running"):
            filled["started_at"] = scheduled_for
        if state not in ("pending", "running"):
            filled["finished_at"] = scheduled_for + MINUTE
        if state == "pending":
            filled["available_at"] = scheduled_for
        made = self.connection.execute(insert(run).values(filled | values).returning(run.c.id))
        return int(made.scalar_one())

    def running(self, *, held: bool = True, **values: Any) -> int:
        name = f"run/shop/{values.get('schedule', 'nightly')}"
        (grant,) = statements.grant(self.connection, [name], "replica-1", 60)
        filled: dict[str, Any] = {"minutes_ago": 9, "token": grant.token, "holder": grant.holder}
        run_id = self.run("running", **(filled | values))
        if not held:
            statements.release(self.connection, grant)
        return run_id

    def job(self, run_id: int, job: str, state: str, *, attempt: int = 1, position: int = 0, **values: Any) -> None:
        filled = {
            "run_id": run_id,
            "job": job,
            "position": position,
            "attempt": attempt,
            "state": state,
            "token": 7,
            "holder": "replica-1",
            "started_at": self.now - MINUTE,
            "finished_at": None if state == "running" else self.now - MINUTE / 2,
        }
        self.connection.execute(insert(job_run).values(filled | values))

    def replica(self, holder: str = "replica-1", state: str = "running", **values: Any) -> None:
        filled = {
            "holder": holder,
            "application": "shop",
            "host": "web-1",
            "pid": 4711,
            "start_time": 1,
            "version": "0.1.0",
            "state": state,
            "started_at": self.now - 60 * MINUTE,
            "seen_at": self.now,
        }
        self.connection.execute(insert(replica).values(filled | values))


@contextmanager
def rows_in(url: str) -> Iterator[Rows]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        yield Rows(connection)
    engine.dispose()


def test_a_schedule_shows_when_it_is_due_and_its_last_run_that_was_not_skipped(rows: Rows) -> None:
    rows.schedule()
    rows.run("failed", 30)
    last = rows.run("succeeded", 20)
    rows.run("skipped", 10)
    (line,) = read_overview(rows.connection).schedules
    assert (line.last_run_id, line.last_state, line.last_seconds) == (last, "succeeded", 60)
    assert line.due_in == pytest.approx(300, abs=10)


def test_a_retired_schedule_and_those_of_other_applications_are_left_out(rows: Rows) -> None:
    rows.schedule("old", next_due=None, retired_at=rows.now)
    rows.schedule("theirs", application="bank")
    rows.schedule("ours")
    assert [line.schedule for line in read_overview(rows.connection, "shop").schedules] == ["ours"]
    assert [line.schedule for line in read_overview(rows.connection).schedules] == ["theirs", "ours"]


def test_unfinished_work_of_a_retired_schedule_is_one_problem(rows: Rows) -> None:
    rows.schedule()
    rows.replica()
    rows.schedule("old", next_due=None, retired_at=rows.now)
    first = rows.running(schedule="old")
    for _ in range(2):
        rows.run("pending", 10, schedule="old", available_at=rows.now - 10 * MINUTE, trigger="manual")
    (problem,) = problems(read_overview(rows.connection))
    assert (problem.kind, problem.schedule, problem.run_id) == ("retired", "old", first)
    assert problem.text == (
        "old is retired but has active runs: 1 running and 2 waiting; if it was renamed, add "
        'was = "old" to the new one; otherwise let them finish, or cancel them with `leased cancel --schedule old`'
    )


def test_what_runs_shows_its_job_its_holder_and_its_token(rows: Rows) -> None:
    rows.schedule()
    rows.replica()
    run_id = rows.running()
    rows.job(run_id, "customers", "succeeded")
    (found,) = read_overview(rows.connection).running
    assert found.job is None, "it is between two jobs"
    rows.job(run_id, "orders", "running", attempt=2, position=1, done=30, total=100, message="page 3")
    (found,) = read_overview(rows.connection).running
    assert (found.run_id, found.token, found.host, found.pid, found.held) == (run_id, 1, "web-1", 4711, True)
    assert found.job is not None
    assert (found.job.job, found.job.attempt, found.job.done, found.job.message) == ("orders", 2, 30, "page 3")
    assert found.job.running_for == pytest.approx(60, abs=10)
    assert problems(read_overview(rows.connection)) == ()


def test_a_run_of_a_draining_replica_shows_when_it_usually_ends(rows: Rows) -> None:
    """By the median of those that succeeded, which skipped rows do not hide."""
    rows.schedule()
    rows.replica(state="draining")
    for minutes, took in ((90, 5), (80, 90), (70, 4)):
        started = rows.now - minutes * MINUTE
        rows.run("succeeded", minutes, started_at=started, finished_at=started + took * MINUTE)
    rows.run("failed", 60)
    for number in range(150):
        rows.run("skipped", 50 - number / 10)
    rows.running(scheduled_for=rows.now - 2 * MINUTE, started_at=rows.now - 2 * MINUTE)
    (run,) = read_overview(rows.connection).running
    assert run.draining
    assert run.usually_ends_in == pytest.approx(3 * 60, abs=10)
    (line,) = drains([run])
    assert re.fullmatch(rf"web-1:4711 drains: run {run.run_id} of nightly \(usually ends in (3m|2m5\ds)\)", line)
    assert drains([replace(run, usually_ends_in=-120.0)])[0].endswith(" (would usually have ended 2m ago)")


def test_a_run_without_history_or_of_a_replica_that_works_on_or_is_dead_shows_no_usual_end(rows: Rows) -> None:
    for name, holder, state in (("new", "one", "draining"), ("old", "two", "running"), ("lost", "three", "draining")):
        rows.schedule(name)
        rows.replica(holder, state)
        if name != "new":
            rows.run("succeeded", 60, schedule=name)
        rows.running(schedule=name, holder=holder)
    found = read_overview(rows.connection, dead=["three"]).running
    assert [(run.draining, run.usually_ends_in) for run in found] == [(True, None), (False, None), (False, None)]
    assert drains(found) == [f"web-1:4711 drains: run {found[0].run_id} of new"]


def test_only_the_latest_hundred_say_what_is_usual(rows: Rows) -> None:
    rows.schedule()
    for number in range(300):
        started = rows.now - (500 - number) * MINUTE
        took = 10 if number < 200 else 2
        rows.run("succeeded", 500 - number, started_at=started, finished_at=started + took * MINUTE)
    assert usual.usual_seconds(rows.connection, [("shop", "nightly"), ("shop", "new")]) == {("shop", "nightly"): 120}


def test_of_many_schedules_at_once_fewer_runs_say_what_is_usual(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time of a status does not grow with their history."""
    monkeypatch.setattr(usual, "_TOGETHER", 24)
    for name in ("nightly", "hourly"):
        rows.schedule(name=name)
        for number in range(30):
            started = rows.now - (60 - number) * MINUTE
            took = 10 if number < 18 else 2 if number < 24 else 3
            rows.run("succeeded", 60 - number, schedule=name, started_at=started, finished_at=started + took * MINUTE)
    both = [("shop", "nightly"), ("shop", "hourly")]
    assert usual.read_usual(rows.connection, both) == dict.fromkeys(both, usual.Usual(150, 180, 12))
    assert usual.read_usual(rows.connection, both[:1]) == {("shop", "nightly"): usual.Usual(390, 600, 24)}


@pytest.mark.parametrize("held", [False, True])
def test_a_running_run_whose_lease_has_ended_or_gone_stale_is_stuck(rows: Rows, *, held: bool) -> None:
    rows.schedule()
    rows.replica()
    run_id = rows.running(held=held)
    if held:
        statements.renewing("replica-1", -1, 1)(rows.connection)
    (problem,) = problems(read_overview(rows.connection))
    assert (problem.kind, problem.run_id) == ("stuck", run_id)
    assert "its lease (token 1) is no longer held" in problem.text


def test_what_is_late_failing_or_without_a_replica_is_told(rows: Rows) -> None:
    rows.schedule("unplanned", next_due=rows.now - 3 * MINUTE)
    rows.schedule("failing")
    rows.schedule("waiting")
    failed = rows.run("failed", schedule="failing", reason="orders failed")
    waiting = rows.run("pending", schedule="waiting")
    rows.run("pending", 9, schedule="waiting", available_at=None)
    rows.replica(seen_at=rows.now - 5 * MINUTE)
    found = problems(read_overview(rows.connection))
    assert [problem.kind for problem in found] == ["no replica", "silent replica", "late", "late", "failing"]
    assert found[0].text == "no replica is running; start one: leased run FILE"
    assert found[1].text.startswith("web-1:4711 was last seen 5m")
    assert found[2].text.startswith("unplanned was due 3m")
    assert found[3].run_id == waiting
    assert found[4].text == f"the last run of failing failed (run {failed}: orders failed)"


def test_however_many_runs_of_a_schedule_wait_they_are_one_problem(rows: Rows) -> None:
    rows.schedule("busy")
    rows.schedule("other")
    rows.replica(seen_at=rows.now)
    alone = rows.run("pending", 2, schedule="other")
    longest, *_ = [rows.run("pending", minutes, schedule="busy") for minutes in range(40, 0, -1)]
    busy, other = (found for found in problems(read_overview(rows.connection)) if found.kind == "late")
    assert busy.text.startswith(f"40 runs of busy are waiting; run {longest} has waited longest, 40m")
    assert (busy.run_id, other.run_id) == (longest, alone)
    assert other.text.startswith(f"run {alone} of other has waited for 2m")
    for minutes in range(41, 150):
        rows.run("pending", minutes, schedule="busy")
    (busy, *_) = (found for found in problems(read_overview(rows.connection)) if found.kind == "late")
    assert busy.text.startswith("at least 100 runs of busy are waiting; run ")


def test_what_waits_is_counted_in_full_and_listed_from_the_first(rows: Rows) -> None:
    rows.schedule()
    later = rows.run("pending", 3, available_at=None)
    first = rows.run("pending", 9)
    overview = read_overview(rows.connection)
    assert overview.waiting_count == 2
    assert [found.run_id for found in overview.waiting] == [first, later]


def test_the_overview_takes_as_many_statements_with_a_long_history(rows: Rows) -> None:
    rows.schedule()
    for minutes in range(50):
        rows.run("succeeded", minutes)
    with statements_on(rows.connection) as asked:
        read_overview(rows.connection)
    assert len(asked) == 11


def test_of_a_last_run_that_never_started_it_shows_when_it_ended(rows: Rows) -> None:
    rows.schedule()
    rows.run("cancelled", 30, reason="cancelled by bob")
    assert f"{when(rows.now - 29 * MINUTE)}" in shown(read_overview(rows.connection))


def test_where_all_that_waited_has_begun_since_it_was_counted_nothing_is_said_to_wait(rows: Rows) -> None:
    rows.schedule()
    overview = read_overview(rows.connection)
    assert "WAITING" not in shown(replace(overview, waiting_count=2))
    rows.run("pending", 1)
    one = read_overview(rows.connection)
    assert "WAITING" in shown(one)
    assert shown(replace(one, waiting_count=3)).splitlines()[-1].startswith("and 2 more; ")


def shown(overview: Overview) -> str:
    """Return the screen of an overview, as in a file."""
    written = io.StringIO()
    found = StatusFound(overview, overview.schedules, [], [], None, {})
    times = Times(overview.database_time, in_full=True)
    show_status(Console(file=written, width=1_000), found, overview.schedules, times, wide=True)
    return written.getvalue()


def test_runs_come_the_latest_first_and_can_be_chosen(rows: Rows) -> None:
    for name in ("nightly", "hourly"):
        rows.schedule(name)
    first = rows.run("failed", 30)
    second = rows.run("succeeded", 20)
    other = rows.run("succeeded", 10, schedule="hourly")
    connection = rows.connection
    assert [found.run_id for found in read_runs(connection, limit=10)] == [other, second, first]
    assert [found.run_id for found in read_runs(connection, limit=1)] == [other]
    assert [found.run_id for found in read_runs(connection, limit=10, schedule="nightly")] == [second, first]
    assert [found.run_id for found in read_runs(connection, limit=10, state="failed")] == [first]
    assert read_runs(connection, limit=10, application="bank") == []


def test_a_counted_run_tells_its_span(rows: Rows) -> None:
    rows.schedule()
    rows.run("skipped", 100, count=90, last_scheduled_for=rows.now - 10 * MINUTE)
    (found,) = read_runs(rows.connection, limit=10)
    assert (found.count, found.last_scheduled_for) == (90, rows.now - 10 * MINUTE)
    assert found.seconds is None


def test_show_tells_every_attempt_of_each_job_with_its_token_and_holder(rows: Rows) -> None:
    rows.schedule()
    run_id = rows.run("succeeded", token=8, holder="replica-2", attempt=2, params='{"customer": 7}')
    rows.job(run_id, "customers", "succeeded", done=598, total=598, message="598 zones")
    rows.job(run_id, "orders", "abandoned", position=1)
    rows.job(run_id, "orders", "succeeded", position=1, attempt=2, token=8, holder="replica-2", log_tail="done")
    detail = read_run(rows.connection, run_id)
    assert detail.params == {"customer": 7}
    assert {
        name: [(job.attempt, job.state, job.token, job.holder, job.done) for job in attempts]
        for name, attempts in detail.by_job.items()
    } == {
        "customers": [(1, "succeeded", 7, "replica-1", 598)],
        "orders": [(1, "abandoned", 7, "replica-1", None), (2, "succeeded", 8, "replica-2", None)],
    }
    assert sum(job.seconds for job in detail.jobs) == pytest.approx(90)


def test_locks_tell_who_holds_what_and_for_which_run(rows: Rows) -> None:
    rows.schedule()
    run_id = rows.running()
    statements.grant(rows.connection, ["mine"], "somebody", 60, label="a shell")
    statements.release(rows.connection, Grant("mine", 1, "somebody"))
    (held,) = read_locks(rows.connection)
    assert (held.name, held.token, held.run_id, held.live) == ("run/shop/nightly", 1, run_id, True)
    assert held.expires_in == pytest.approx(60, abs=10)
    assert [(lock.name, lock.holder) for lock in read_locks(rows.connection, free=True)] == [
        ("mine", None),
        ("run/shop/nightly", "replica-1"),
    ]
    assert read_locks(rows.connection, prefix="mine") == []


def test_a_lock_that_a_program_holds_for_long_has_a_level_and_is_a_problem_once_a_run_waits_for_it(rows: Rows) -> None:
    rows.schedule()
    rows.schedule("waits")
    rows.replica()
    rows.run("succeeded")
    long = update(lease).values(granted_at=rows.now - 31 * MINUTE)
    statements.grant(rows.connection, ["mine", "prune/shop"], "somebody", 3600, label="a shell")
    rows.running()
    rows.connection.execute(long)
    statements.grant(rows.connection, ["other"], "somebody", 3600)
    assert {lock.name: lock.long for lock in read_locks(rows.connection)} == {
        "mine": "critical",
        "other": None,
        "prune/shop": None,
        "run/shop/nightly": None,
    }
    assert held_by_programs(rows.connection) == {"critical": 1, None: 1}
    assert problems(read_overview(rows.connection)) == ()
    waits = rows.run("pending", 0, lease_name="mine", schedule="waits")
    (problem,) = problems(read_overview(rows.connection))
    assert (problem.kind, problem.level, problem.run_id) == ("lock held", "critical", waits)
    text = f'the lock "mine" has been held for … by a shell, which is critical (over 30m); run {waits} waits for it'
    assert re.sub(r"(?<=for )3\w+", "…", problem.text) == text


def test_replicas_come_with_the_living_first(rows: Rows) -> None:
    rows.replica("old", "stopped", started_at=rows.now - 90 * MINUTE, stopped_at=rows.now)
    rows.replica("older", "dead", started_at=rows.now - 95 * MINUTE)
    rows.replica("living", "draining")
    assert [line.holder for line in read_replicas(rows.connection)] == ["living"]
    assert [line.holder for line in read_replicas(rows.connection, past=1)] == ["living", "old"]


def test_a_replica_whose_death_is_proven_is_dead_before_that_is_recorded(rows: Rows) -> None:
    rows.schedule()
    rows.replica("here")
    rows.replica("ended", "stopped", stopped_at=rows.now)
    dead = ("here", "ended")
    assert [line.state for line in read_replicas(rows.connection, past=5, dead=dead)] == ["dead", "stopped"]
    overview = read_overview(rows.connection, dead=dead)
    assert [(line.holder, line.state) for line in overview.replicas] == [("here", "dead")]
    assert [problem.kind for problem in problems(overview)] == ["no replica"]


def test_a_paused_application_needs_a_replica_only_for_a_run_that_could_start(rows: Rows) -> None:
    rows.schedule(paused_at=rows.now)
    rows.run("pending", 1, available_at=rows.now + MINUTE)
    assert problems(read_overview(rows.connection)) == ()
    rows.run("pending", 0)
    assert [problem.kind for problem in problems(read_overview(rows.connection))] == ["no replica"]


def test_the_overview_shows_for_ten_minutes_that_a_replica_has_died(rows: Rows) -> None:
    rows.schedule()
    rows.replica("living")
    rows.replica("ended", "stopped", stopped_at=rows.now)
    rows.replica("died", "dead", seen_at=rows.now - 9 * MINUTE, stopped_at=rows.now - 9 * MINUTE)
    rows.replica("forgotten", "dead", seen_at=rows.now - 11 * MINUTE, stopped_at=rows.now - 11 * MINUTE)
    overview = read_overview(rows.connection)
    assert [(line.holder, line.state) for line in overview.replicas] == [("living", "running"), ("died", "dead")]
    assert problems(overview) == ()


def test_names_of_schedules_and_their_applications(rows: Rows) -> None:
    rows.schedule("nightly")
    rows.schedule("nightly", application="bank")
    rows.schedule("old", next_due=None, retired_at=rows.now)
    assert applications_with(rows.connection, "nightly") == ["bank", "shop"]
    assert applications_with(rows.connection, "old") == []
    assert schedule_names(rows.connection) == ["nightly"]


def test_plain_values_have_instants_in_utc_and_durations_in_seconds(rows: Rows) -> None:
    rows.schedule()
    shown = plain(read_overview(rows.connection))["schedules"][0]
    assert (shown["next_due"][-1], type(shown["due_in"])) == ("Z", float)
    given = {"at": datetime(2026, 7, 1, 2, tzinfo=UTC), "items": (1.23456,)}
    assert plain(given) == {"at": "2026-07-01T02:00:00Z", "items": [1.235]}
