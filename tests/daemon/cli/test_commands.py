"""The commands, on a real run on SQLite."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from daemon.cli.ask import ask, ask_url
from daemon.recovery.restoring import Restored, prepare_restored
from daemon.store.tables import schedule
from lease.sync import LeaseClient
from tests.daemon.store.test_views import Rows
from tests.support.store import Store
from tests.support.waiting import LIMIT

from .conftest import JOBS, ROOT, Leased
from .test_answers import valid


@pytest.mark.usefixtures("one_load")
def test_check_says_what_a_thread_gives_up_and_which_timeout_is_never_reached(leased: Leased, folder: Path) -> None:
    (folder / "limits.toml").write_text(
        'application = "limits"\n[schedules.nightly]\ncron = "0 2 * * *"\ntimezone = "UTC"\nrun_timeout = "1m"\njobs = [\n'
        '  { name = "long", command = "true", timeout = "2m" },\n'
        '  { name = "open", command = "true" },\n'
        '  { name = "thread", call = "textwrap:dedent", isolation = "thread" },\n]\n'
    )
    (item,) = leased("check", "limits.toml", "--json").document["items"]
    long, thread = item["remarks"]
    assert long.startswith("job long: its timeout is never reached, because run_timeout")
    assert thread.startswith("job thread: it runs in a thread of the replica: it cannot be killed, shares its memory")
    assert "run.ensure()" in thread


@pytest.mark.parametrize(
    ("expression", "instants"),
    [
        ("6h", ["2026-07-01T06:00:00Z", "2026-07-01T12:00:00Z"]),
        ("0.5s", ["2026-07-01T00:00:00.500000Z", "2026-07-01T00:00:01Z"]),
        ("2026-07-02T00:00:00Z", ["2026-07-02T00:00:00Z"]),
        ("@hourly", ["2026-07-01T01:00:00Z", "2026-07-01T02:00:00Z"]),
    ],
)
def test_preview_takes_each_kind_of_trigger(leased: Leased, expression: str, instants: list[str]) -> None:
    document = leased("preview", expression, "--from", "2026-07-01T00:00:00Z", "--count", "2", "--json").document
    assert [item["instant"] for item in document["items"]] == instants


def test_schema_is_that_of_a_toml_file_where_the_revision_is_no_setting(leased: Leased) -> None:
    document = leased("schema").document
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "revision" in document["properties"]
    assert "revision" not in document["properties"]["settings"]["properties"]


def test_trigger_records_who_and_why(leased: Leased) -> None:
    leased("sync", "shop.py")
    leased("trigger", "nightly", "--why", "the fair", "--params", '{"customer": 8}')
    shown = leased("show", "1", "--json").document
    assert (shown["requested_why"], shown["params"]) == ("the fair", {"customer": 8, "rows": ""})
    assert "@" in shown["requested_by"]


def test_trigger_takes_parameters_from_a_file_for_those_that_no_command_line_holds(
    leased: Leased, folder: Path
) -> None:
    leased("sync", "shop.py")
    (folder / "large.json").write_text(json.dumps({"rows": "x" * 900_000}))
    leased("trigger", "nightly", "--params", "@large.json")
    assert len(leased("show", "1", "--json").document["params"]["rows"]) == 900_000


def test_trigger_asks_which_application_where_several_have_the_schedule(leased: Leased, folder: Path) -> None:
    (folder / "bank.py").write_text((folder / "shop.py").read_text().replace('"shop"', '"bank"'))
    leased("sync", "shop.py")
    leased("sync", "bank.py")
    leased("trigger", "nightly").is_refused(
        2, 'several applications have a schedule "nightly": add --application bank or shop'
    )
    assert leased("trigger", "nightly", "--application", "shop").status == 0
    leased("trigger", "nighly").is_refused(1, 'there is no schedule "nighly"; did you mean "nightly"?')
    answer = leased("trigger", "nightly", "--application", "shop", "--at", "2020-01-01T00:00:00Z")
    assert answer.status == 2, "a moment that has passed is a mistake, as it is for `leased pause --until`"


def test_cancel_records_who_and_why_and_does_nothing_the_second_time(leased: Leased) -> None:
    leased("sync", "shop.py")
    leased("trigger", "nightly")
    document = leased("cancel", "1", "--why", "wrong file", "--by", "bob", "--json").document
    assert (document["state"], document["already"], document["cancelled_by"]) == ("cancelled", False, "bob")
    assert leased("cancel", "1").lines == [
        "run 1 of nightly (shop) was already cancelled by bob: wrong file; it has ended"
    ]
    assert "cancelled by  bob, wrong file, 2" in leased("show", "1").out
    assert "cancelled by bob: wrong file" in leased("runs").out


def test_db_tells_where_it_is_and_prints_the_script(leased: Leased, folder: Path) -> None:
    assert leased("db", "current", "--json").document["revision"] is None
    assert "applied" in leased("db", "upgrade").out
    assert "already up to date" in leased("db", "upgrade").out
    assert leased("db", "current", "--json").document["revision"] is not None
    script = leased("db", "sql", "--database", "postgresql://u:geheim@nowhere/x").out
    assert "CREATE TABLE" in script
    assert "geheim" not in script


def test_restored_takes_the_time_that_a_large_database_needs(leased: Leased, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: Any, **given: Any) -> Restored:
        sleep(0.7)
        return prepare_restored(*arguments, **given)

    for command in (ask, ask_url):
        monkeypatch.setattr(command, "__kwdefaults__", {**(command.__kwdefaults__ or {}), "patience": 0.5})
    monkeypatch.setattr("daemon.cli.commands.db.prepare_restored", slow)
    leased("db", "upgrade")
    assert leased("db", "restored").status == 0


def test_restored_refuses_tables_that_are_in_use(leased: Leased) -> None:
    leased("db", "upgrade")
    with LeaseClient("sqlite:///leased.db", label="web-1") as client, client.hold("a"):
        refused = leased("db", "restored")
        assert (refused.status, refused.out) == (1, "")
        assert "this database may be in use, by 1 held lease (a by web-1): stop everything that uses it" in refused.err
        assert "grants ended: 1" in leased("db", "restored", "--force").out


def test_status_check_is_1_where_there_is_a_problem(leased: Leased) -> None:
    leased("db", "upgrade")
    answer = leased("status", "--check")
    assert answer.status == 1, "green would hide a wrong database"
    assert "no schedules: there are no schedules yet" in answer.out
    leased("sync", "shop.py")
    answer = leased("status", "--check")
    assert answer.status == 1
    assert "no replica is running; start one: leased run FILE" in answer.out
    assert leased("status").status == 0
    leased("retire", "--application", "shop")
    answer = leased("status", "--check")
    assert (answer.status, "OK: all schedules of shop are retired" in answer.out) == (0, True)


def test_a_check_since_a_moment_is_1_after_a_run_that_failed_although_all_is_well(leased: Leased, folder: Path) -> None:
    leased("sync", "shop.py")
    engine = create_engine(f"sqlite:///{folder / 'leased.db'}", poolclass=NullPool)
    with engine.begin() as connection:
        rows = Rows(connection)
        rows.replica()
        rows.run("failed", 30, reason="orders failed")
        rows.run("succeeded", 20)
    assert leased("status", "--check").status == 0
    assert leased("status", "--check", "--since", "10m").status == 0
    answer = leased("status", "--check", "--since", "1h", "--json")
    assert (answer.status, answer.document["ok"]) == (1, False)
    assert [problem["kind"] for problem in answer.document["problems"]] == ["failed"]
    assert answer.document["since"] < answer.document["database_time"]
    assert "orders failed" in leased("status", "--check", "--since", answer.document["since"]).out
    assert leased("status", "--since", "100000d").status == 0, "it says, but does not check"
    refused = leased("status", "--check", "--since", "2999-01-01T00:00:00Z")
    assert (refused.status, refused.err.partition(" in the ")[0]) == (2, "leased: --since: 2999-01-01 00:00:00Z is")


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(("log_format", "stderr"), [("text", subprocess.PIPE), ("json", subprocess.STDOUT)])
@pytest.mark.sampled(1)
def test_a_run_goes_on_and_keeps_its_status_when_its_reader_goes(
    leased: Leased, folder: Path, log_format: str, stderr: int
) -> None:
    """As `leased run … | head -n 1` has it; with JSON, the log goes into the same pipe."""
    (folder / "shop.py").write_text(
        JOBS.replace("echo checked", "until test -e gone; do sleep 0.01; done; echo checked")
    )
    command = [sys.executable, "-P", "-m", "leased", "run", "shop.py", "--no-web", "--now", "nightly", "--until-idle"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--log-format", log_format], env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.stdout.close()
            (folder / "gone").touch()
            assert process.wait(LIMIT) == 0
            assert process.stderr is None or process.stderr.read() == ""
        finally:
            process.kill()
    assert [run["state"] for run in leased("runs", "--json").document["items"]] == ["succeeded"]


@pytest.mark.usefixtures("processes")
def test_a_run_names_its_replica_as_status_and_replicas_do_and_what_became_of_its_jobs(leased: Leased) -> None:
    leased("run", "shop.py", "--now", "nightly", "--until-idle", "--no-web")
    shown = leased("show", "1", "--json").document
    assert (shown["state"], shown["token"], len(shown["holder"])) == ("succeeded", 1, 32)
    (line,) = leased("replicas", "--json").document["items"]
    assert shown["replica"] == shown["items"][0]["replica"] == f"{line['host']}:{line['pid']}"
    assert f"holder  {shown['replica']}\n" in leased("show", "1").out
    assert [(item["job"], item["state"], item["done"]) for item in shown["items"]] == [
        ("zones", "succeeded", 598),
        ("orders", "succeeded", None),
    ]
    assert shown["items"][1]["log_tail"] == "checked\n"


@pytest.mark.extended
def test_a_failed_run_until_idle_is_status_1_and_seen_everywhere(process: Leased, leased: Leased, folder: Path) -> None:
    (folder / "broken").touch()
    answer = process("run", "shop.py", "--now", "nightly", "--until-idle", "--no-web")
    assert answer.status == 1
    assert "run 1 of nightly (shop)  failed in " in answer.out
    problems = leased("status", "--json").document["problems"]
    assert "failing" in [problem["kind"] for problem in problems]


@pytest.mark.extended
def test_several_replicas_trigger_once_and_end_together(process: Leased, leased: Leased) -> None:
    answer = process("run", "shop.py", "--replicas", "2", "--now", "nightly", "--until-idle", "--log-format", "json")
    assert answer.status == 0, answer.err
    assert [run["state"] for run in leased("runs", "--json").document["items"]] == ["succeeded"]
    assert answer.out.count("run 1 of nightly (shop)  succeeded in ") == 1
    told = [json.loads(line) for line in answer.err.splitlines()]
    assert not any("replica" in line for line in told), "what starts the replicas is none itself"
    *replicas, metrics = sorted(line["message"].partition(" is process")[0] for line in told)
    assert (replicas, metrics.partition(":")[0]) == (
        ["replica 1 of 2", "replica 2 of 2"],
        "the metrics of all replicas",
    )


def test_only_a_check_of_what_was_lost_is_status_1(leased: Leased, folder: Path) -> None:
    leased("sync", "shop.py")
    assert leased("report", "--check").status == 0
    with Store(f"sqlite:///{folder / 'leased.db'}") as store:
        store.shift(schedule, next_due=-2 * 86_400.0)
    late = leased("report", "--check", "--json")
    document = valid(late, "report")
    assert (late.status, document["ok"], document["totals"]["due"]) == (1, False, 0)
    assert document["items"][0]["not_planned_since"] is not None
    assert leased("report").status == 0


def test_a_report_ends_after_it_begins_and_not_in_the_future(leased: Leased) -> None:
    leased("sync", "shop.py")
    for arguments, said in (
        (("--since", "1h", "--until", "2h"), "--until: "),
        (("--since", "2999-01-01"), "--since: 2999"),
        (("--until", "2999-01-01"), "--until: 2999"),
        (("--since", "soon"), "--since: "),
        (("--application", "shpo"), 'there is no application "shpo"; did you mean "shop"?'),
    ):
        answer = leased("report", *arguments)
        assert answer.status in {1, 2}
        assert said in answer.err
        assert answer.out == ""
