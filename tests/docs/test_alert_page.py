"""The page about alerts: what its monitors see of a schedule that fails, of one that succeeds, and of no database. And the
alert rules and the dashboard: Prometheus takes them, and they name what there is.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.telemetry import logs
from daemon.telemetry.fact_log import log_fact
from daemon.telemetry.facts import JobEnded, JobSubject, RunEnded, RunSubject
from daemon.web.metrics.families import FAMILIES
from tests.docs.pages import ROOT, blocks, on_the_path, unit
from tests.docs.test_docs import anchors
from tests.support.programs import ran
from tests.support.promtool import RULES, promtool
from tests.support.receiver import Receiver

DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
RUNBOOKS = ROOT / "docs" / "how-to" / "operate" / "runbooks.md"
ALERTS = re.findall(r"- alert: (\w+)\n +expr: (.*?)\n +for: (\w+)\n", RULES.read_text(), re.DOTALL)
IS_AN_AGE = re.compile(r"time\(\) - |_age_seconds")


@pytest.mark.usefixtures("processes")
def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", str(RULES))


@pytest.mark.usefixtures("processes")
def test_prometheus_takes_the_configuration_that_is_shown(tmp_path: Path) -> None:
    (shown,) = blocks(ROOT / "docs" / "how-to" / "operate" / "alert-on-failures.md", "yaml")
    (tmp_path / "leased-token").touch()
    (tmp_path / "leased-alerts.yml").write_text(RULES.read_text())
    file = tmp_path / "prometheus.yml"
    file.write_text(shown.replace("/etc/prometheus", str(tmp_path)))
    promtool("check", "config", str(file))


def test_each_rule_says_all_that_whoever_is_woken_needs_and_its_page_is_there() -> None:
    rules = RULES.read_text().split("- alert: ")[1:]
    assert len(rules) == len(ALERTS)
    for rule in rules:
        for part in ("for", "severity", "summary", "description", "runbook_url", "dashboard"):
            assert re.search(rf"^ +{part}: \S", rule, re.MULTILINE), (part, rule)
        page = re.search(r"runbook_url: https://leased\.example/(\S+)#(\S+)", rule)
        assert page is not None
        assert ROOT / page[1] == RUNBOOKS
        assert page[2] in anchors(RUNBOOKS), page[2]


def test_an_alert_that_looks_for_age_has_a_twin_for_when_nothing_is_there() -> None:
    names = {name for name, *_ in ALERTS}
    ages = {name for name, expression, _ in ALERTS if IS_AN_AGE.search(expression) and "absent(" not in expression}
    assert ages == {"LeasedNoSuccess", "LeasedLoopDead", "LeasedSnapshotStale"}
    assert {f"{name}Absent" for name in ages} <= names


def test_every_query_names_metrics_that_exist() -> None:
    series = {family.name for family in FAMILIES if family.kind != "histogram"}
    series |= {f"{family.name}_{end}" for family in FAMILIES if family.kind == "histogram" for end in ("bucket", "sum", "count")}  # fmt: skip
    board = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    queries += [expression for _, expression, _ in ALERTS]
    assert len(queries) > 30
    assert {name for query in queries for name in re.findall(r"leased_\w+", query)} <= series


def test_the_dashboard_sums_no_fact_of_the_fleet_over_replicas() -> None:
    fleet = {family.name for family in FAMILIES if family.of == "fleet"}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for query in (target["expr"] for target in panel["targets"]):
            for name in set(re.findall(r"leased_\w+", query)) & fleet:
                assert re.search(rf"max by \([a-z, ]+\) \({name}\b", query), query


PAGE = ROOT / "docs" / "how-to" / "operate" / "alert-on-failures.md"
(PLUGIN,) = blocks(PAGE, "python")
MAILED, PINGED = blocks(PAGE, "toml")
(CRONTAB,) = blocks(PAGE, "text")
LOGGED = [json.loads(line) for line in blocks(PAGE, "json")[0].splitlines()]
CHECK, PROBES = blocks(PAGE, "sh")
BY_CHANCE = {"timestamp", "replica"}
FAILS = "the last run of nightly failed"


class Folder:
    """A folder with the page's schedule, whose command is one of ours, and `leased` on the path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        given = on_the_path(path)
        (path / "bin" / "python").symlink_to(sys.executable)
        self.environment = {name: value for name, value in given.items() if not name.lower().endswith("_proxy")}

    def play(self, status: int, schedule: str) -> None:
        """Run a schedule of the page, whose export exits with this status."""
        (self.path / "export.py").write_text(f"raise SystemExit({status})\n")
        (self.path / "shop.toml").write_text(schedule.replace("retries = 2", "retries = 0"))
        done = self.do(["leased", "run", "shop.toml", "--now=nightly", "--until-idle", "--no-web"])
        assert done.returncode == (1 if status else 0), done.stderr

    def do(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return ran(words, self.path, self.environment)


@pytest.fixture
def folder(tmp_path: Path, processes: None) -> Folder:
    return Folder(tmp_path)


@pytest.mark.extended
def test_a_failed_run_is_in_both_mails_and_the_plugin(folder: Folder) -> None:
    mail = folder.path / "bin" / "mail"
    mail.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > mailed\ncat >> mailed\n')
    mail.chmod(0o755)
    folder.play(3, MAILED)
    subject = (folder.path / "mailed").read_text().splitlines()[1]
    assert subject.startswith("run 1 of nightly failed ")
    assert f"\n{subject}\n" in (folder.path / "mailed").read_text().partition("ops@example.com")[2]
    (line,) = (line for line in CRONTAB.splitlines() if line.startswith("*"))
    mailed = folder.do(["/bin/sh", "-c", line.split(maxsplit=5)[5]])
    assert FAILS in mailed.stdout
    (folder.path / "check_leased").write_text(PLUGIN)
    found = folder.do([sys.executable, "check_leased"])
    assert (found.returncode, len(found.stdout.splitlines())) == (2, 1), found
    assert found.stdout.startswith("CRITICAL: ")
    assert FAILS in found.stdout


@pytest.mark.extended
@pytest.mark.parametrize(("status", "end"), [(0, ""), (3, "/fail")])
def test_the_start_and_the_end_of_a_run_are_pinged(folder: Folder, status: int, end: str) -> None:
    with Receiver() as receiver:
        style = f'{{ url = "{receiver.url}", style = "healthchecks" }}'
        folder.play(status, re.sub(r'"https://hc-ping.com/4a8[^"]*"', style, PINGED))
    paths = [request.path.partition("?")[0] for request in receiver.requests]
    assert paths[-1] == f"/hook{end}"
    assert paths[:-1] in ([], ["/hook/start"]), "the ping of the start is left out if the run is over by then"


def test_a_failure_is_logged_as_the_page_shows(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_is_set_up", False)
    run, error = RunSubject("shop", "nightly", 1, 1, "web1:4711"), "exited with status 3"
    log_fact(JobEnded(JobSubject(run, "export", 1), "failed", 0.03, error))
    log_fact(RunEnded(run, "failed", f'job "export" failed: {error}', 0.08))
    logged = [
        {
            "message": record.msg.partition(" schedule=")[0],
            "level": record.levelname.lower(),
            **record.__dict__["leased"],
        }
        for record in caplog.records
    ]
    assert logged == [{key: value for key, value in line.items() if key not in BY_CHANCE} for line in LOGGED]


def test_the_plugin_tells_no_answer_from_a_problem(folder: Folder) -> None:
    (folder.path / "check_leased").write_text(PLUGIN)
    found = folder.do([sys.executable, "check_leased"])
    assert found.returncode == 3
    assert found.stdout.startswith('UNKNOWN: {"error": {"message": "there is no database file')
    (folder.path / "bin" / "leased").unlink()
    folder.environment["PATH"] = str(folder.path / "bin")
    assert folder.do([sys.executable, "check_leased"]).returncode == 3


def test_the_unit_and_the_crontab_run_the_check_of_the_page() -> None:
    service, timer = map(unit, blocks(PAGE, "ini"))
    assert shlex.split(service["Service"]["ExecStart"])[1:] == shlex.split(CHECK)[1:]
    assert re.search(rf"\b{CHECK.strip()}\b", CRONTAB)
    assert re.fullmatch(r"\*:0/\d", timer["Timer"]["OnCalendar"])


def test_the_probes_are_those_of_a_replica() -> None:
    asked = re.findall(r"http://(\S+?)/(\w+)", PROBES)
    assert [path for _, path in asked] == ["livez", "readyz"]
    settings = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert all(f"`{address}`" in settings for address, _ in asked)
