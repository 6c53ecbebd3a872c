"""The answer to why, for every state that a schedule or a run can be in (rule 13)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise, product
from typing import Any, get_args

import pytest
from sqlalchemy import event, insert, literal, select

from daemon.definitions.schedule import write_schedule
from daemon.definitions.triggers.trigger import Every
from daemon.operations.generations import read_changed, read_standings
from daemon.operations.why import Explanation, Moments, State, read_why_run
from daemon.operations.why_schedule import read_why_schedule, why_not_active
from daemon.recovery import registry
from daemon.scheduling.deploys.bring import stage
from daemon.store.statements import replica
from daemon.store.statements.schedule import database_time
from daemon.store.tables import generation, job_output, job_run
from daemon.store.views.names import keys_named
from daemon.store.views.overview import read_overview
from daemon.store.views.problems import problems
from lease import statements
from tests.daemon.store.test_views import MINUTE, Rows, rows_in
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule, an_application

DURATION = re.compile(r"(?<![\w.])\d+(\.\d+)?[smhd](\d+[smh])?\b")
KNOWN, UNKNOWN = "known", "unknown"
"""The digests of the definitions that a replica has, and that none has."""


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    with rows_in(database_url) as rows:
        yield rows


@dataclass
class World:
    """A database in which each schedule, by its name, is in another state, and so each run."""

    rows: Rows

    def __post_init__(self) -> None:
        rows = self.rows
        living: dict[str, Any] = {"seen_at": rows.now + 60 * MINUTE}  # however long the test takes
        rows.replica(**living)
        rows.replica("replica-2", pid=4712, seen_at=rows.now - timedelta(seconds=40))
        rows.replica("replica-3", pid=4713, state="draining", **living)
        for number, digest in ((1, UNKNOWN), (2, KNOWN)):
            values = {"application": "shop", "number": number, "digest": digest, "brought_by": "a test"}
            more = {"run_digests": json.dumps({"all": [digest, digest]}), "rules": number == 2, "in_lieu": False}
            rows.connection.execute(
                insert(generation).values(**values, **more, came_at=rows.now, ruled_at=rows.now - 9 * MINUTE)
            )
        for holder in ("replica-1", "replica-2", "replica-3"):
            rows.connection.exec_driver_sql(f"UPDATE replica SET digest = '{KNOWN}' WHERE holder = '{holder}'")

    def schedule(self, name: str, **values: Any) -> None:
        self.rows.schedule(name, **{"run_digest": KNOWN, **values})

    def run(self, name: str, state: str, minutes_ago: float = 10, **values: Any) -> int:
        return self.rows.run(state, minutes_ago, schedule=name, **{"digest": KNOWN, **values})

    def running(self, name: str, holder: str = "replica-1", **values: Any) -> int:
        (grant,) = statements.grant(self.rows.connection, [f"run/shop/{name}"], holder, 3600.0)
        return self.run(name, "running", **{"minutes_ago": 9, "token": grant.token, "holder": holder, **values})

    def why(self, asked: str | int, application: str = "shop") -> Explanation:
        at = Moments(self.rows.now, lambda moment: f"T{round((moment - self.rows.now) / MINUTE):+}")
        if isinstance(asked, int):
            return read_why_run(self.rows.connection, asked, at)
        (key,) = keys_named(self.rows.connection, asked, application, retired=True)
        return read_why_schedule(self.rows.connection, asked, key, moments=at)


Made = tuple[str | int, State, str, str]
"""What is asked for, the state, the sentence without durations, and the first command."""


def schedules(world: World) -> Iterator[Made]:
    """Make a schedule in each state, and yield what is said of it."""
    rows = world.rows
    world.schedule("well")
    ok = world.run("well", "succeeded")
    yield "well", "due", f"well is next due at T+5 (in …); its last run, {ok}, succeeded … ago", "leased trigger well"
    world.schedule("new")
    yield "new", "due", "new is next due at T+5 (in …); it has not run yet", "leased trigger new"
    world.schedule("key", called="renamed", former='["key"]')
    renamed = world.run("key", "succeeded")
    text = f"renamed is next due at T+5 (in …); its last run, {renamed}, succeeded … ago"
    yield "renamed", "due", text, "leased trigger renamed"
    yield "key", "due", text, "leased trigger renamed"
    gone = {"next_due": None, "retired_at": rows.now - 9 * MINUTE, "retired_by": "generation 2"}
    world.schedule("old", **gone)
    text = (
        "old was retired by generation 2 at T-9 (… ago); to run it, define it again in FILE "
        '(if it was renamed, add was = "old" to the new one)'
    )
    yield "old", "retired", text, "leased runs old"
    world.schedule("off", enabled=False)
    text = "off is disabled: its definition says enabled = false; set it to true and deploy"
    yield "off", "disabled", text, "leased trigger off"
    pause = {"paused_at": rows.now - 3 * MINUTE, "paused_by": "ann@web-1"}
    world.schedule("paused", **pause)
    yield "paused", "paused", "paused is paused by ann@web-1 since T-3 (… ago)", "leased resume paused"
    world.schedule("held", **pause, paused_why="a fair", paused_until=rows.now + 8 * MINUTE)
    text = "held is paused by ann@web-1 since T-3 (… ago) until T+8 (in …): a fair"
    yield "held", "paused", text, "leased resume held"
    world.schedule("unknown", run_digest=UNKNOWN)
    text = "unknown cannot run: no running replica has its definition; web-1:4711, web-1:4713 run other definitions"
    yield "unknown", "no definition", text, "leased generations"
    world.schedule("late", next_due=rows.now - 5 * MINUTE)
    yield "late", "late", "late was due … ago but has not been planned", "leased replicas"
    world.schedule("busy")
    busy = world.running("busy")
    text = f"run {busy} of busy has been running for … on web-1:4711"
    yield "busy", "running", text, f"leased why {busy}"
    world.schedule("slow", definition='{"long": {"warn": 60, "critical": 300}}')
    slow = world.running("slow")
    text = f"run {slow} of slow has been running for … on web-1:4711, which is critical (over …)"
    yield "slow", "long", text, f"leased why {slow}"
    world.schedule("stuck")
    stuck = world.run("stuck", "running", token=1, holder="replica-1")
    text = f"run {stuck} of stuck is recorded as running, but its lease (token 1) is no longer held"
    yield "stuck", "stuck", text, f"leased why {stuck}"
    world.schedule("silent")
    silent = world.running("silent", "replica-2")
    text = (
        f"run {silent} of silent is recorded as running, but web-1:4712 was last seen … ago; if it stays silent, "
        f"other replicas may take over run {silent} in …"
    )
    yield "silent", "silent", text, f"leased why {silent}"
    world.schedule("overdue")
    overdue = world.running("overdue", finish_by=rows.now - MINUTE)
    text = f"run {overdue} of overdue should have succeeded by T-1 (… ago)"
    yield "overdue", "late to finish", text, f"leased why {overdue}"
    world.schedule("waits")
    waits = world.run("waits", "pending", 0)
    text = f"run {waits} of waits is pending: waits for free capacity on a replica"
    yield "waits", "waiting", text, f"leased why {waits}"
    world.schedule("fails")
    failed = world.run("fails", "failed", reason="exited with status 3")
    text = f"the last run of fails failed (run {failed}: exited with status 3)"
    yield "fails", "failing", text, f"leased show {failed}"
    world.schedule("overlaps")
    world.run("overlaps", "skipped", overlapped=busy, overlapped_by="web-1:4711")
    text = (
        f"overlaps did not run at T-10 (… ago): overlap: run {busy} was active (web-1:4711 had it); "
        "it next runs at T+5 (in …)"
    )
    yield "overlaps", "skipped", text, "leased runs overlaps"
    world.schedule("asked", next_due=None, trigger="on request")
    yield "asked", "on request", "asked runs on request only; it has not run yet", "leased trigger asked"
    world.schedule("over", next_due=None, trigger="at 2026-01-01T00:00:00Z")
    text = "over has no scheduled time left (at 2026-01-01T00:00:00Z); it has not run yet"
    yield "over", "ended", text, "leased trigger over"
    tomorrow, after = (rows.now + timedelta(days=days) for days in (1, 2))
    free = a_schedule("free", Every(86_400.0), exclude=[f"{tomorrow:%Y-%m-%d}"])
    world.schedule("free", definition=write_schedule(free), anchor=rows.now, next_due=tomorrow)
    days = [f"T{round((moment - rows.now) / MINUTE):+} (in …)" for moment in (tomorrow, after)]
    text = f"free does not run at {days[0]}: its definition excludes that day; it next runs at {days[1]}"
    yield "free", "excluded", text, "leased trigger free"


def runs(world: World) -> Iterator[Made]:
    """Make a run in each state, and yield what is said of it."""
    rows = world.rows
    world.schedule("r")
    ahead = world.running("r", available_at=rows.now - MINUTE)
    yield ahead, "running", f"run {ahead} of r has been running for … on web-1:4711", f"leased stack {ahead}"
    world.schedule("ends")
    ends = world.running("ends", "replica-3", cancelled_at=rows.now, cancelled_by="ann@web-1")
    text = f"run {ends} of ends has been running for … on web-1:4713; cancelled by ann@web-1: it ends as soon as its work has"
    yield ends, "running", text, f"leased stack {ends}"
    unheld = world.run(
        "ends", "running", 1, token=1, holder="replica-1", cancelled_at=rows.now, cancelled_by="ann@web-1"
    )
    text = f"run {unheld} of ends was cancelled by ann@web-1, and ends as soon as its work has, but its lease (token 1) is no longer held"
    yield unheld, "stuck", text, "leased replicas"
    world.schedule("drains")
    drains = world.running("drains", "replica-3")
    text = (
        f"run {drains} of drains has been running for … on web-1:4713; "
        "its replica drains, and hands it back if it is not over when grace has passed"
    )
    yield drains, "running", text, f"leased stack {drains}"
    behind = world.run("r", "pending", 8, available_at=None)
    yield behind, "waiting", f"run {behind} of r waits for run {ahead}", f"leased why {ahead}"
    world.schedule("t")
    later = world.run("t", "pending", attempt=1, available_at=rows.now + 5 * MINUTE)
    rows.job(later, "load", "failed", error="Traceback …\nOSError: no route to host")
    text = f"run {later} of t waits for the retry at T+5 (in …): OSError: no route to host"
    yield later, "waiting", text, f"leased logs {later}"
    start = world.run("t", "pending", available_at=rows.now + 5 * MINUTE, scheduled_for=rows.now)
    yield start, "waiting", f"run {start} of t waits for its start at T+5 (in …)", f"leased cancel {start}"
    world.schedule("l")
    statements.grant(rows.connection, ["warehouse"], "h9", 3600.0, label="backup on db-1")
    locked = world.run("l", "pending", lease_name="warehouse")
    yield locked, "waiting", f'run {locked} of l waits for the lock "warehouse", held by backup on db-1', "leased locks"
    api = a_schedule("s", lock={"name": "api", "slots": 2})
    assert api.queue
    world.schedule("s", definition=write_schedule(api))
    statements.grant(rows.connection, ["api", "api/2"], "h9", 3600.0, label="another application")
    slot = world.run("s", "pending", lease_name="api", queue=api.queue.name)
    text = f'run {slot} of s waits for one of the 2 slots of the lock "api"'
    yield slot, "waiting", text, "leased locks"
    world.schedule("b")
    fed = world.run("b", "pending", 99, backfill=7, place_at=rows.now, available_at=None)
    yield fed, "waiting", f"run {fed} of b waits for its turn in backfill 7", "leased backfills"
    world.schedule("u")
    unknown = world.run("u", "pending", digest=UNKNOWN)
    text = f"run {unknown} of u waits for a replica of generation 1"
    yield unknown, "no definition", text, "leased generations"
    turn = world.run("u", "pending", 9, abandoned=2)
    text = f"run {turn} of u was abandoned 2 times in a row: waits until no other such run is running there"
    yield turn, "waiting", text, "leased status"
    stops = world.run("u", "pending", 8, cancelled_at=rows.now, cancelled_by="ann@web-1", cancelled_why="a slip")
    text = f"run {stops} of u ends as soon as its work has: cancelled by ann@web-1: a slip"
    yield stops, "cancelled", text, f"leased cancel {stops}"
    world.schedule("h")
    done = world.run("h", "succeeded")
    yield done, "succeeded", f"run {done} of h succeeded T-9 (… ago), after …", f"leased show {done}"
    bad = world.run("h", "failed", 9, reason="exited with status 3")
    yield bad, "failed", f"run {bad} of h failed T-8 (… ago): exited with status 3", f"leased logs {bad}"
    again = world.run("h", "succeeded", 8, retry_of=bad, trigger="manual")
    text = f"run {bad} of h failed T-8 (… ago): exited with status 3; it was retried as run {again}"
    yield bad, "failed", text, ""
    crashed = world.run("h", "failed", 7, reason="abandoned 3 times", abandoned=3)
    yield crashed, "abandoned", f"run {crashed} of h failed T-6 (… ago): abandoned 3 times", f"leased logs {crashed}"
    reason = {"cancelled_at": rows.now, "cancelled_by": "ann@web-1", "reason": "cancelled by ann@web-1: a slip"}
    slip = world.run("h", "cancelled", 6, **reason)
    yield slip, "cancelled", f"run {slip} of h was cancelled T-5 (… ago): by ann@web-1: a slip", f"leased logs {slip}"
    for number, (why, words) in enumerate(
        {
            "overlap": "overlap: an earlier run was active",
            "paused": "paused",
            "replaced": "replaced by a newer run",
            "excluded": "excluded: its schedule does not run on that day",
            "missed": "missed: no replica was running to T-19",
        }.items()
    ):
        skipped = world.run("h", "skipped", 20, reason=why, scheduled_for=rows.now - (20 + number) * MINUTE)
        text = f"run {skipped} of h did not run at T-{20 + number} (… ago): {words}"
        yield skipped, "skipped", text, "leased why h"


def without_durations(text: str) -> str:
    return DURATION.sub("…", text).replace("… (… ago)", "(… ago)")


def test_each_state_has_its_sentence_and_what_to_do(rows: Rows) -> None:
    world = World(rows)
    walked = set()
    for make in (schedules, runs):
        for asked, state, text, command in make(world):
            answer = world.why(asked)
            found = (answer.state, without_durations(answer.text), *answer.next[:1])
            assert found == (state, text, *([command] if command else ()))
            walked.add(state)
    world.schedule("alone", application="bank")
    answer = world.why("alone", application="bank")
    assert answer.text == "alone cannot run: no replica of bank is running"
    waits = world.rows.run("pending", application="bank", schedule="alone", digest=KNOWN)
    assert world.why(waits).text == f"run {waits} of alone waits: no replica is running; start one: leased run FILE"
    walked |= {answer.state}
    assert set(get_args(State)) - walked == {"not active"}, "of which the next test is"


def test_the_answer_takes_as_many_statements_however_much_there_is(rows: Rows) -> None:
    world, sent = World(rows), list[str]()
    event.listen(rows.connection, "before_cursor_execute", lambda _c, _cursor, sql, *_: sent.append(sql))
    states = ("pending", "failed", "succeeded", "cancelled")
    world.schedule("busy")
    asked: list[str | int] = [
        "busy",
        world.running("busy"),
        *(world.run("busy", one, trigger="manual") for one in states),
    ]
    found = []
    for more in range(3):
        for number in range(10 * more):
            name = f"other-{more}-{number}"
            world.schedule(name)
            rows.job(world.running(name), "load", "running")
            for of, state in product((name, "busy"), states):
                rows.job(world.run(of, state, trigger="manual"), "load", "failed", error="no")
        sent.clear()
        explained = [(world.why(one), len(sent))[1] for one in asked]
        found.append([after - before for before, after in pairwise([0, *explained])])
    assert found[0] == found[1] == found[2]
    assert max(found[0]) <= 35


def test_a_schedule_that_fails_shows_the_last_line_of_its_output(rows: Rows) -> None:
    world = World(rows)
    world.schedule("fails")
    rows.job(world.run("fails", "failed"), "load", "failed", log_tail="begins\ndisk quota exceeded\n")
    assert evidence_of(world.why("fails"))["last output"] == "disk quota exceeded"
    world.schedule("works")
    rows.job(world.run("works", "succeeded"), "load", "succeeded", log_tail="done\n")
    assert "last output" not in evidence_of(world.why("works"))


def test_a_schedule_whose_only_replica_is_silent_says_so_until_that_counts_as_dead(rows: Rows) -> None:
    world = World(rows)
    world.schedule("alone", application="bank")
    for seen_ago, state, text in (
        (40, "silent", "alone cannot run: web-1:4711 was last seen … ago"),
        (70, "no replica", "alone cannot run: no replica of bank is running; the last one was seen T-1 (… ago)"),
    ):
        rows.replica(f"b-{seen_ago}", application="bank", seen_at=rows.now - timedelta(seconds=seen_ago))
        found = world.why("alone", application="bank")
        assert (found.state, without_durations(found.text)) == (state, text)
        assert ("no replica" in {one.kind for one in problems(read_overview(rows.connection, "bank"))}) == (
            state == "no replica"
        ), "a status says the same"
        rows.connection.exec_driver_sql("DELETE FROM replica WHERE application = 'bank'")


def test_a_schedule_that_only_definitions_have_that_are_not_active_names_them(database_url: str) -> None:
    with Store(database_url) as store:
        first, second = a_schedule("nightly"), a_schedule("weekly")
        store.do(stage, an_application(first), by="a test")
        store.do(registry.register, own_entry("h1", "shop", an_application(first).digest))
        store.do(replica.mark_ready, "h1")
        store.do(stage, an_application(first, second), by="ann@web-1")
        standings = store.do(read_standings, "shop", takeover_after=60.0)
        answer = why_not_active("weekly", standings, store.do(database_time))
        assert answer is not None
        assert answer.state == "not active"
        assert answer.text == (
            "weekly is defined by generation 2 of shop alone, which is staged; "
            "it becomes active as soon as one of its replicas is ready, or at once with --take-over"
        )
        assert why_not_active("nightly", standings, answer.database_time) is None


def test_it_names_the_generation_that_changed_a_schedule_last_with_what_was_before_and_after(database_url: str) -> None:
    with Store(database_url) as store:
        ten, half_hour = (a_schedule("poll", Every(seconds), jobs=("load",)) for seconds in (600.0, 1800.0))
        other = a_schedule("poll", Every(1800.0), jobs=("load",), description="all of it", long="90m", stall_after=90.0)
        for definitions in (ten, half_hour, other):
            store.do(stage, an_application(definitions, a_schedule("same")), by="web-1:4711")
        store.do(stage, an_application(other, a_schedule("same"), a_schedule("new")), by="web-1:4711")
        poll, same = (evidence_of(store.do(read_why_schedule, name, ("shop", name))) for name in ("poll", "same"))
        assert re.sub(r"2\d{3}-.*\)", "…", poll["changed"]) == (
            'last changed by generation 3, …: description: "" → all of it, long: not set → warn 1h30m, '
            "stall_after: not set → 1m30s"
        )
        assert "changed" not in same
        changed = [
            store.do(read_changed, [one]) for one in reversed(store.do(read_standings, "shop", takeover_after=1.0))
        ]
        assert [[(one.schedule, one.how) for one in of] for of in changed] == [
            [],
            [("poll", "retimed")],
            [("poll", "changed")],
            [],
        ]
        (timing,) = changed[1][0].settings
        assert (timing.setting, timing.before, timing.after) == ("timing", "every 10m", "every 30m")


def test_a_changed_secret_is_named_without_its_value(database_url: str) -> None:
    with Store(database_url) as store:
        for token, size in (("hunter1", 1), ("hunter2", 2)):
            params = {"token": token, "size": size}
            store.do(stage, an_application(a_schedule("poll", params=params, secrets=("token",))), by="web-1:4711")
        said = evidence_of(store.do(read_why_schedule, "poll", ("shop", "poll")))["changed"]
        assert said.endswith(": param size: 1 → 2, param token: *** → ***")
        assert "hunter" not in str(store.do(lambda connection: connection.execute(select(generation)).all()))


def evidence_of(found: Explanation) -> dict[str, str]:
    return {one.what: one.text for one in found.items}


def test_a_running_run_says_what_its_job_does_and_what_a_kill_costs(rows: Rows) -> None:
    world = World(rows)
    world.schedule("nightly", definition=json.dumps({"jobs": [{"name": "load", "retries": 2}]}))
    for number, seconds in enumerate((10, 12, 12, 14)):
        began = rows.now - (60 + number) * MINUTE
        ended = began + timedelta(seconds=seconds)
        world.run("nightly", "succeeded", scheduled_for=began, started_at=began, finished_at=ended)
    run_id = world.running("nightly", started_at=rows.now - timedelta(seconds=47), abandoned=1)
    rows.job(run_id, "load", "failed", error="OSError: no route to host")
    reported: dict[str, Any] = {"done": 12.0, "total": 32.0, "message": "Banco", "progress_at": rows.now - 2 * MINUTE}
    rows.job(run_id, "load", "running", attempt=2, keeper_pid=815, keeper_start=1, **reported)
    of_job = select(
        job_run.c.id,
        literal(0),
        literal(0),
        literal("first\nsecond\n"),
        literal(rows.now - MINUTE, job_run.c.started_at.type),
    )
    columns = ["job_run_id", "start", "line", "text", "saved_at"]
    rows.connection.execute(insert(job_output).from_select(columns, of_job.where(job_run.c.state == "running")))
    world.schedule("other")
    world.running("other")
    found = world.why(run_id)
    assert found.text.endswith("on web-1:4711 (usually 12s, p95 14s)")
    said = evidence_of(found)
    assert said["attempt"] == "load: 2 of 3; 1 of 3 crashes in a row"
    assert said["last error"] == "load, attempt 1: OSError: no route to host"
    assert said["process"] == "a child of process 815 on web-1, which web-1:4711 started"
    assert said["progress"] == "12 of 32, Banco, reported 2m ago"
    assert said["last output"] == "second (1m ago)"
    assert DURATION.sub("…", said["if killed"]) == (
        f"`kill -9` of web-1:4711 ends the attempts of 2 runs ({run_id}, {run_id + 1}); this would be crash 2 of 3 in a "
        "row for this one, and uses up no retry; no other replica has its definition, so it waits until one starts"
    )
    rows.replica("replica-4", pid=4714, seen_at=rows.now + 60 * MINUTE)
    rows.connection.exec_driver_sql(f"UPDATE replica SET digest = '{KNOWN}' WHERE holder = 'replica-4'")
    assert "web-1:4714 can resume it when its lease has expired, within " in evidence_of(world.why(run_id))["if killed"]
