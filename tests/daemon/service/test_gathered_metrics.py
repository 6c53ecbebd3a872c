"""The metrics of a supervisor's replicas as one text, in which each sample says whose it is."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from daemon.service.supervision.gathered_metrics import GatheredMetrics, gathered
from daemon.web.door import Door
from tests.support.asgi import asked


def text_of(runs: int, meaning: str = "Runs", more: bool = False) -> bytes:
    registry = CollectorRegistry()
    Counter("leased_runs", meaning, ["schedule"], registry=registry).labels(HOSTILE).inc(runs)
    Gauge("leased_held", "Leases", registry=registry).set(2)
    if more:
        Gauge("leased_new", "Only a newer one has it", registry=registry).set(1)
    return generate_latest(registry)


HOSTILE = 'a{b="c"} 7\n# HELP leased_held no\r\\'


def test_samples_are_told_apart_and_each_family_stands_together_once() -> None:
    """Also where the replicas are of two versions, and whatever a schedule is called."""
    text = gathered({1: text_of(5, "Runs of a newer one", more=True), 0: text_of(3), 2: None}).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    runs = [one for one in families["leased_runs"].samples if one.name == "leased_runs_total"]
    assert [(one.labels, one.value) for one in runs] == [
        ({"replica": "0", "schedule": HOSTILE}, 3.0),
        ({"replica": "1", "schedule": HOSTILE}, 5.0),
    ]
    assert [(one.labels, one.value) for one in families["leased_held"].samples] == [
        ({"replica": "0"}, 2.0),
        ({"replica": "1"}, 2.0),
    ]
    assert [one.labels for one in families["leased_new"].samples] == [{"replica": "1"}]
    assert [one.value for one in families["leased_replica_up"].samples] == [1.0, 1.0, 0.0]
    kinds = [line.split()[1:3] for line in text.split("\n") if line.startswith("# ")]
    assert len(kinds) == len({tuple(kind) for kind in kinds}), "Prometheus refuses a second one"


@pytest.mark.anyio
async def test_a_token_that_a_reload_has_replaced_reads_no_metrics_any_more() -> None:
    metrics = GatheredMetrics(Door(token="t" * 20), lambda: [(None, None)], lambda: 0)
    old, new = ({"authorization": f"Bearer {letter * 20}"} for letter in "tn")
    assert (await asked(metrics._guard, "GET", "/metrics", old)).status == 200
    metrics.admit("n" * 20, None)
    answers = [await asked(metrics._guard, "GET", "/metrics", token) for token in (old, new)]
    assert [one.status for one in answers] == [401, 200]
    assert b'leased_replica_up{replica="0"} 0' in answers[1].body
    assert (await asked(metrics._guard, "GET", "/readyz")).status == 503
