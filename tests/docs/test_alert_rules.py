"""The alert rules and the dashboard: Prometheus takes them, and they name what there is."""

import json
import re
from pathlib import Path

import pytest

from daemon.web.metrics.families import FAMILIES
from tests.docs.pages import ROOT, blocks
from tests.docs.test_docs import anchors
from tests.support.promtool import RULES, promtool

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
