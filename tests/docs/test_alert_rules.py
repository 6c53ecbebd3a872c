"""The alert rules and the dashboard: Prometheus takes them, each alert fires when its cause is there, and not before."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from daemon.web.metrics.families import FAMILIES
from tests.docs.pages import ROOT, blocks
from tests.docs.test_docs import anchors
from tests.support.waiting import LIMIT

RULES = ROOT / "deploy" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
RUNBOOKS = ROOT / "docs" / "how-to" / "operate" / "runbooks.md"
ALERTS = re.findall(r"- alert: (\w+)\n +expr: (.*?)\n +for: (\w+)\n", RULES.read_text(), re.DOTALL)
ONE, APP, REPLICA = (
    '{application="shop",schedule="nightly"}',
    '{application="shop"}',
    '{instance="a:1",application="shop"}',
)
CALM = {
    f"leased_schedule_info{ONE}": "1x300",
    f"leased_schedule_success_deadline_timestamp_seconds{ONE}": "1000000x300",
    f"leased_schedule_paused{ONE}": "0x300",
    f"leased_schedule_late_seconds{ONE}": "0x300",
    f"leased_schedule_missed_times{ONE}": "0x300",
    f"leased_schedule_overlapped_times{ONE}": "0x300",
    f"leased_schedule_consecutive_failures{ONE}": "2x300",
    f"leased_schedule_longest_running_seconds{ONE}": "500x300",
    f"leased_schedule_long_running_level{ONE}": "0x300",
    'leased_replicas{application="shop",state="alive"}': "2x300",
    'leased_replicas{application="shop",state="silent"}': "0x300",
    f"leased_generations_live{APP}": "1x300",
    f"leased_generations_held_back{APP}": "0x300",
    f"leased_schedules_retired_total{REPLICA}": "0x300",
    'leased_notifications_total{instance="a:1",application="shop",kind="run.failed",outcome="delivered"}': "0+1x300",
    'leased_notifications_total{instance="a:1",application="shop",kind="run.failed",outcome="failed"}': "0x300",
    'leased_pings_total{instance="a:1",application="shop",outcome="failed"}': "0x300",
    f"leased_build_info{REPLICA}": "1x300",
    'leased_loop_last_tick_timestamp_seconds{instance="a:1",application="shop",loop="replica"}': "0+60x300",
    'leased_leases_lost_total{instance="a:1",application="shop",cause="closed"}': "0+1x300",
    'leased_leases_lost_total{instance="a:1",application="shop",cause="ended"}': "0x300",
    'leased_lease_margin_seconds_bucket{instance="a:1",application="shop",le="7.0"}': "0x300",
    'leased_lease_margin_seconds_bucket{instance="a:1",application="shop",le="10.0"}': "0+60x300",
    'leased_lease_margin_seconds_bucket{instance="a:1",application="shop",le="+Inf"}': "0+60x300",
    f"leased_database_clock_offset_seconds{REPLICA}": "0.01x300",
    f"leased_database_oldest_transaction_seconds{REPLICA}": "5x300",
    f"leased_snapshot_age_seconds{REPLICA}": "1x300",
}
"""A fleet in which all is well, a value a minute."""
CAUSES: dict[str, dict[str, str | None]] = {
    "LeasedNoSuccess": {f"leased_schedule_success_deadline_timestamp_seconds{ONE}": "3000x300"},
    "LeasedNoSuccessAbsent": {f"leased_schedule_info{ONE}": None},
    "LeasedScheduleLate": {f"leased_schedule_late_seconds{ONE}": "0x10 301x290"},
    "LeasedInstantsMissed": {f"leased_schedule_missed_times{ONE}": "0x10 1x290"},
    "LeasedThinned": {f"leased_schedule_overlapped_times{ONE}": "0x10 16x290"},
    "LeasedFailingInARow": {f"leased_schedule_consecutive_failures{ONE}": "0x10 3x290"},
    "LeasedRunLongerThanUsual": {f"leased_schedule_long_running_level{ONE}": "0x10 1x290"},
    "LeasedMarginThin": {'leased_lease_margin_seconds_bucket{instance="a:1",application="shop",le="7.0"}': "0+60x300"},
    "LeasedLeaseLost": {'leased_leases_lost_total{instance="a:1",application="shop",cause="ended"}': "0x57 1x200"},
    "LeasedReplicasBelow": {'leased_replicas{application="shop",state="alive"}': "2x10 1x290"},
    "LeasedReplicasBelowAbsent": {f"leased_build_info{REPLICA}": None},
    "LeasedReplicaSilent": {'leased_replicas{application="shop",state="silent"}': "0x10 1x290"},
    "LeasedLoopDead": {
        'leased_loop_last_tick_timestamp_seconds{instance="a:1",application="shop",loop="replica"}': "0x300"
    },
    "LeasedLoopDeadAbsent": {
        'leased_loop_last_tick_timestamp_seconds{instance="a:1",application="shop",loop="replica"}': None
    },
    "LeasedGenerationsMixed": {f"leased_generations_live{APP}": "2x300"},
    "LeasedGenerationsHeldBack": {f"leased_generations_held_back{APP}": "1x300"},
    "LeasedSchedulesRetired": {'leased_schedules_retired_total{instance="b:1",application="shop"}': "_x55 2x200"},
    "LeasedNotificationsFail": {
        'leased_notifications_total{instance="a:1",application="shop",kind="run.failed",outcome="failed"}': "0x57 1x200"
    },
    "LeasedClockOffset": {f"leased_database_clock_offset_seconds{REPLICA}": "-1.5x300"},
    "LeasedOldTransaction": {f"leased_database_oldest_transaction_seconds{REPLICA}": "901x300"},
    "LeasedSnapshotStale": {f"leased_snapshot_age_seconds{REPLICA}": "0+60x300"},
    "LeasedSnapshotStaleAbsent": {f"leased_snapshot_age_seconds{REPLICA}": None},
}
IS_AN_AGE = re.compile(r"time\(\) - |_age_seconds")


def promtool(*words: str) -> None:
    if (found := shutil.which("promtool")) is None:
        pytest.skip(
            "the alert rules are tried by promtool: apt-get install promtool (Debian), or brew install prometheus"
        )
    done = subprocess.run([found, *words], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", str(RULES))


def test_prometheus_takes_the_configuration_that_is_shown(tmp_path: Path) -> None:
    (shown,) = blocks(ROOT / "docs" / "how-to" / "operate" / "alert-on-failures.md", "yaml")
    (tmp_path / "leased-token").touch()
    (tmp_path / "leased-alerts.yml").write_text(RULES.read_text())
    file = tmp_path / "prometheus.yml"
    file.write_text(shown.replace("/etc/prometheus", str(tmp_path)))
    promtool("check", "config", str(file))


def case(
    name: str, changes: Mapping[str, str | None], minutes: int, firing: list[str], of: str = "", *, interval: str = "1m"
) -> dict[str, Any]:
    series = {**CALM, **changes}
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": one, "values": values} for one, values in series.items() if values is not None],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname, severity) (ALERTS{{alertstate="firing"{of}}}) > 0',
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": labels, "value": 1} for labels in firing],
            }
        ],
    }


@pytest.mark.extended
def test_each_alert_fires_when_its_cause_is_there_and_none_where_all_is_well(tmp_path: Path) -> None:
    text = RULES.read_text()
    severity = {
        name: text.partition(f"alert: {name}\n")[2].partition("severity: ")[2].split()[0] for name, *_ in ALERTS
    }
    watchdog = '{alertname="LeasedWatchdog", severity="none"}'
    cases = [case("calm", {}, 120, [watchdog])]
    for name, changes in CAUSES.items():
        fired = f'{{alertname="{name}", severity="{severity[name]}"}}'
        cases.append(case(name, changes, 60, [fired], f', alertname="{name}"'))
    long = [
        f'{{alertname="LeasedRunLongerThanUsual", severity="{one}"}}' for one in ("critical", "emergency", "warning")
    ]
    of = ', alertname="LeasedRunLongerThanUsual"'
    cases.append(case("by severity", {f"leased_schedule_long_running_level{ONE}": "3x300"}, 60, long, of))
    paused = {
        f"leased_schedule_success_deadline_timestamp_seconds{ONE}": "60x300",
        f"leased_schedule_paused{ONE}": "1x300",
    }
    cases.append(case("paused", paused, 60, [watchdog]))
    tried(tmp_path, cases)


def tried(folder: Path, cases: list[dict[str, Any]]) -> None:
    interval = cases[0]["interval"]
    file = folder / "tests.json"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": cases}))
    promtool("test", "rules", str(file))


@pytest.mark.extended
def test_a_schedule_that_is_paused_for_a_week_is_told(tmp_path: Path) -> None:
    paused, of = {f"leased_schedule_paused{ONE}": "1x3000"}, ', alertname="LeasedPausedForLong"'
    told = '{alertname="LeasedPausedForLong", severity="info"}'
    tried(
        tmp_path,
        [case("", paused, days * 24 * 60, told_then, of, interval="4m") for days, told_then in ((6, []), (8, [told]))],
    )


def test_each_alert_has_such_a_case() -> None:
    assert {name for name, *_ in ALERTS} == {*CAUSES, "LeasedWatchdog", "LeasedPausedForLong"}


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
