"""A real Prometheus scrapes three replicas through a kill and a deploy."""

import json
import shutil
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest

from daemon.web.metrics.families import FAMILIES
from tests.docs.pages import ROOT
from tests.support.postgres import free_port
from tests.support.replicas import ReplicaProcess, Story
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.extended
FILE = """
application = "shop"
[schedules.tick]
every = "1s"
jobs = [{{ name = "tick", command = "true" }}]
[schedules.{other}]
every = "2s"
jobs = [{{ name = "fail", command = "false" }}]
"""
SUCCEEDED = 'leased_runs_total{schedule="tick",state="succeeded"}'
ONLY_FORWARD = ("last_due", "last_end", "last_success")


class Prometheus:
    """A server that scrapes these ports each second."""

    def __init__(self, story: Story, ports: list[int]) -> None:
        program = shutil.which("prometheus")
        if program is None:
            pytest.skip("this story needs Prometheus: apt-get install prometheus (Debian), or brew install prometheus")
        targets = json.dumps([f"127.0.0.1:{port}" for port in ports])
        config = story.folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 5s}\n"
            f"rule_files: [{ROOT / 'deploy' / 'alerts.yml'}]\n"
            f"scrape_configs: [{{job_name: leased, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        options = (f"--storage.tsdb.path={story.folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}")
        story.spawn([program, f"--config.file={config}", *options], story.folder / "prometheus.log")

    def ask(self, query: str, **more: str) -> list[Any]:
        path = "query_range" if more else "query"
        words = urllib.parse.urlencode({"query": query, **more})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/{path}?{words}", timeout=LIMIT) as answer:  # noqa: S310 - ours
                found: list[Any] = json.load(answer)["data"]["result"]
        except OSError:
            return []
        return found

    def value(self, query: str) -> float:
        """Return the only value, 0 if there is none."""
        found = self.ask(query)
        return float(found[0]["value"][1]) if found else 0.0

    def fires(self, alert: str, schedule: str = "") -> bool:
        """Return whether an alert fires, for this schedule."""
        return bool(self.ask(f'ALERTS{{alertname="{alert}",alertstate="firing",schedule="{schedule}"}}'))

    def samples(self, selector: str) -> dict[str, list[float]]:
        """Return all samples of the last minutes as they were scraped, by instance and schedule."""
        return {
            f"{one['metric']['instance']} {one['metric'].get('schedule')}": [float(value) for _, value in one["values"]]
            for one in self.ask(f"{selector}[10m]")
        }


@pytest.fixture
def ports() -> list[int]:
    return [free_port() for _ in range(3)]


@pytest.fixture
def prometheus(story: Story, ports: list[int]) -> Prometheus:
    server = Prometheus(story, ports)
    wait_until(lambda: server.ask("vector(1)"), "Prometheus answers")
    return server


def test_no_fact_goes_back_and_a_restart_is_a_reset_without_spike_or_gap(
    story: Story, prometheus: Prometheus, ports: list[int]
) -> None:
    file = story.write_file("shop.toml", FILE.format(other="fails"))

    def start(port: int) -> ReplicaProcess:
        return story.leased("run", f"--web=127.0.0.1:{port}", "--ttl=6s", "--log-format=json", "--", file)

    replicas = [start(port) for port in ports]
    wait_until(lambda: len(prometheus.ask("leased_build_info")) == 3, "all are scraped")
    wait_until(lambda: prometheus.value(f"sum({SUCCEEDED})") >= 10, "runs are counted")
    wait_until(lambda: prometheus.fires("LeasedFailingInARow", "fails"), "the alert for what fails in a row fires")
    assert prometheus.fires("LeasedWatchdog")
    assert not prometheus.fires("LeasedSchedulesRetired")
    began, killed = time.time(), prometheus.ask(f"topk(1, {SUCCEEDED})")[0]["metric"]["instance"]
    place = [f"127.0.0.1:{port}" for port in ports].index(killed)
    replicas[place].kill()
    wait_until(lambda: prometheus.value(f'up{{instance="{killed}"}}') == 0, "the kill is seen")
    replicas[place] = start(ports[place])
    wait_until(lambda: len(prometheus.ask("leased_build_info")) == 3, "it is scraped again")

    story.write_file("shop.toml", FILE.format(other="fails-too"))
    for place, port in enumerate(ports):  # a deploy: one after the other
        replicas[place].send(15)  # type: ignore[arg-type]  # SIGTERM
        replicas[place].wait()
        replicas[place] = start(port)
        replicas[place].wait_for_standing()
    gone, came = ('leased_schedule_info{schedule="fails"}', 'leased_schedule_info{schedule="fails-too"}')
    wait_until(lambda: len(prometheus.ask(came)) == 3 and not prometheus.ask(gone), "the deploy is seen")
    wait_until(lambda: prometheus.fires("LeasedSchedulesRetired"), "the alert for what the deploy retired fires")
    before = prometheus.value(f"sum(increase({SUCCEEDED}[1m]))")
    wait_until(lambda: len(prometheus.ask(f"{SUCCEEDED} > 0")) == 3, "each has counted runs since its start")

    for name in ONLY_FORWARD:
        for series, values in prometheus.samples(f"leased_schedule_{name}_timestamp_seconds").items():
            assert values == sorted(values), (name, series)
    told = {"__name__"} | {label for family in FAMILIES for label in family.labels} | {"application", "instance", "job"}
    assert all(set(one["metric"]) <= told | {"le"} for one in prometheus.ask('{__name__=~"leased_.+"}'))
    assert prometheus.value("sum(max_over_time(leased_schedules_retired_total[10m]))") == 1

    made = len([run for run in story.runs("tick") if run.state == "succeeded"])
    resets = {one["metric"]["instance"] for one in prometheus.ask(f"resets({SUCCEEDED}[10m]) > 0")}
    assert killed in resets
    never = prometheus.samples('leased_runs_total{schedule="fails",state="succeeded"}')
    assert len(never) == 3
    assert {value for values in never.values() for value in values} == {0}, "told before the first"
    ended = time.time()
    rates = prometheus.ask(f"sum(rate({SUCCEEDED}[1m]))", start=str(began), end=str(ended), step="5")
    values = [float(value) for _, value in rates[0]["values"]]
    assert len(values) >= (ended - began) // 5, "a gap"
    assert 0 < min(values) <= max(values) < 2, "one run a second"
    assert 0 < before <= prometheus.value(f"sum(increase({SUCCEEDED}[10m]))") < 1.5 * made
