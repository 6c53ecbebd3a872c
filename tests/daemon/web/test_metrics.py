"""The metrics: what they say of schedules and of the replica, in a text that anything may be written into."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from daemon.definitions.schedule import write_schedule
from daemon.operations.deadlines import success_deadline
from daemon.store.policies import read_policies
from daemon.store.views.fleet import Fleet, ScheduleFacts, Unfinished
from daemon.store.views.lately import LeftOut
from daemon.store.views.replicas import ReplicaLine
from daemon.store.views.usual import Usual
from daemon.telemetry.facts import (
    LeaseChanged,
    LoopFreed,
    MessageSent,
    RunEnded,
    RunRecovered,
    RunStarted,
    RunSubject,
    SchedulesRetired,
    TimesSkipped,
    WriteRefused,
)
from daemon.telemetry.measures import Measures
from daemon.web.health import Beat
from daemon.web.metrics import served, steps
from daemon.web.metrics.collector import Metrics
from daemon.web.metrics.families import FAMILIES
from daemon.web.metrics.reading import Own, ReadFleet
from daemon.web.metrics.schedules import values
from daemon.web.metrics.served import ServedMetrics, text_of
from lease.events import AtRisk, Lost, Renewed
from lease.model import Grant, Loss, LossKind
from tests.support.store import a_schedule

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AT, HOUR = NOW.timestamp(), 3600.0
KNOWN = read_policies('{"timezone": "Europe/Berlin"}')
NIGHTLY = ScheduleFacts(
    application="shop",
    schedule="nightly",
    digest="d",
    timing="cron 0 2 * * *",
    paused=False,
    next_due=AT + 12 * HOUR,
    late_for=-12 * 3600.0,
    last_due=AT - 12 * HOUR,
    last_end=AT - 11 * HOUR,
    last_success=AT - 36 * HOUR,
    failures=1,
    owed=AT - 12 * HOUR,
    owed_by=None,
    missed=None,
)
REPLICA = ReplicaLine("h1", "shop", "web1", 4711, "0.2.0", "running", NOW, NOW, 1.0, None, 3, True, release="abc")
HOSTILE = 'a"} 1\nevil{x="\\\x1b[31m<script>\u202e\udc80' + "x" * 1_000_000


def fleet(*schedules: ScheduleFacts, **more: Any) -> Fleet:
    return Fleet(NOW, schedules or (NIGHTLY,), **{"unfinished": {}, "left_out": {}, "usual": {}, "definitions": {}, "replicas": (REPLICA,), "locks": {}, "oldest_transaction": None, **more})  # fmt: skip


def own(measures: Measures | None = None, **more: Any) -> Own:
    made = Own(
        "shop", ("nightly",), "h1", "0.2.0", 42, "sqlite", "3.13.1", measures or Measures(),
        lambda: {"replica": Beat(1.0, 30.0)}, lambda: 2,
    )  # fmt: skip
    return replace(made, **more)


def shown(of: Own, found: Fleet | None = None, usual: dict[tuple[str, str], Usual] | None = None) -> dict[str, float]:
    """Return what Prometheus' own parser reads, by ``name{label=value,…}``."""
    seen = None
    if found is not None:
        known = {one.digest: KNOWN for one in found.schedules}
        seen = ReadFleet(found, values(found, known, usual or {}), 0.5, 3.0)
    text = generate_latest(Metrics(of, seen)).decode()
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of_schedule(shown: dict[str, float], name: str, schedule: str = "nightly") -> float | None:
    return shown.get(f"leased_schedule_{name}{{application=shop,schedule={schedule}}}")


def test_counters_begin_at_zero_for_every_schedule_and_end_before_the_database_was_read() -> None:
    counters = {name: value for name, value in shown(own()).items() if name.startswith("leased_runs_total")}
    ends = ("succeeded", "failed", "cancelled", "missed", "overlap", "paused", "replaced", "excluded")
    assert [sum(f"={end}" in name for name in counters) for end in ends] == [1] * 8
    assert set(counters.values()) == {0.0}


def test_a_schedule_that_is_gone_has_no_series_and_a_new_one_has_all() -> None:
    measures = Measures()
    for schedule in ("nightly", "gone"):
        measures(RunEnded(RunSubject("shop", schedule, 1, 1, "web1"), "failed", "no", 2.0))
    found = shown(own(measures, schedules=("nightly", "gone")), fleet(NIGHTLY, replace(NIGHTLY, schedule="new")))
    assert not [name for name in found if "schedule=gone" in name]
    failed = "leased_runs_total{{application=shop,reason=,schedule={},state=failed}}"
    assert (found[failed.format("nightly")], found[failed.format("new")]) == (1.0, 0.0)


def test_each_fact_is_counted_where_it_belongs() -> None:
    measures, run = Measures(), RunSubject("shop", "nightly", 1, 1, "web1")
    grant = Grant("run/shop/nightly", 1, "h1")
    for fact in (
        RunStarted(run, 0.3),
        RunStarted(run, None),
        RunEnded(run, "succeeded", None, 42.0),
        RunEnded(run, "pending", "drained", 1.0),
        RunRecovered(run, "abandoned"),
        RunRecovered(run, "failed"),
        TimesSkipped("shop", "nightly", "missed", 7),
        SchedulesRetired("shop", ("one", "two")),
        MessageSent("shop", "nightly", 1, "run.failed", "https://ops.example.com/…", "failed", "500"),
        MessageSent("shop", "nightly", 1, "ping.start", "ping https://hc-ping.com/…", "delivered"),
        MessageSent("shop", "nightly", 1, "ping.fail", "ping https://hc-ping.com/…", "delivered"),
        WriteRefused(run, "somebody has it"),
        LoopFreed(None, 3.0),
        LeaseChanged(Renewed((grant,), 9.5, 0.01)),
        LeaseChanged(AtRisk((grant,), "no answer", 4.0)),
        LeaseChanged(Lost(Loss(grant, LossKind.UNREACHABLE, "no answer"))),
    ):
        measures(fact)
    found = {name: value for name, value in shown(own(measures)).items() if value and "_sum" not in name}
    of = "application=shop"
    assert {
        f"leased_runs_total{{{of},reason=,schedule=nightly,state=succeeded}}": 1,
        f"leased_runs_total{{{of},reason=,schedule=nightly,state=failed}}": 1,
        f"leased_runs_total{{{of},reason=missed,schedule=nightly,state=skipped}}": 7,
        f"leased_claims_total{{{of},outcome=first}}": 1,
        f"leased_claims_total{{{of},outcome=again}}": 1,
        f"leased_schedules_retired_total{{{of}}}": 2,
        f"leased_notifications_total{{{of},kind=run.failed,outcome=failed}}": 1,
        f"leased_pings_total{{{of},outcome=delivered}}": 2,
        f"leased_fenced_writes_refused_total{{{of}}}": 1,
        f"leased_lease_renewals_total{{{of},outcome=confirmed}}": 1,
        f"leased_lease_renewals_total{{{of},outcome=failed}}": 1,
        f"leased_leases_lost_total{{{of},cause=unreachable}}": 1,
        f"leased_event_loop_stall_seconds_count{{{of}}}": 1,
        f"leased_leases_held{{{of}}}": 2,
    }.items() <= found.items()
    buckets = {name: value for name, value in found.items() if name.startswith("leased_run_duration_seconds_bucket")}
    assert buckets[f"leased_run_duration_seconds_bucket{{{of},le=60.0}}"] == 1
    assert f"leased_run_duration_seconds_bucket{{{of},le=30.0}}" not in buckets


def test_each_family_has_its_declared_labels_alone_and_none_names_a_run_a_token_or_a_holder() -> None:
    usual = {("shop", "nightly"): Usual(10.0, 14.0, 30)}
    found = shown(own(), fleet(oldest_transaction=1.0), usual)
    declared = {family.name: {"application", *family.labels} for family in FAMILIES}
    seen = set[str]()
    for series in found:
        name, _, rest = series.rstrip("}").partition("{")
        family = next((name.removesuffix(end) for end in ("_bucket", "_count", "_sum") if name.endswith(end)), name)
        assert {part.partition("=")[0] for part in rest.split(",")} - {"le"} == declared[family]
        seen.add(family)
    assert seen == set(declared), "yield each family: in `_own` or `_of_replicas` of collector.py, or in schedules.py"
    assert not {"run", "run_id", "token", "holder", "error"} & {
        label for labels in declared.values() for label in labels
    }
    assert all("schedule" not in family.labels for family in FAMILIES if family.kind == "histogram")


def test_a_hostile_name_is_one_harmless_line() -> None:
    text = generate_latest(Metrics(own(schedules=(HOSTILE,)), None)).decode()
    assert not [line for line in text.splitlines() if not line.startswith(("#", "leased_"))]
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert max(map(len, text.splitlines())) < 1_000
    names = shown(own(), fleet(replace(NIGHTLY, schedule=HOSTILE)))
    assert [name for name in names if "evil" in name and not name.startswith("leased_")] == []


def test_policies_are_told_as_they_are_written_also_of_a_schedule_with_exclude() -> None:
    excluding = a_schedule("nightly", catch_up="skip", overlap="queue", exclude=["12-25"])
    found = fleet(NIGHTLY)
    known = {"d": read_policies(write_schedule(excluding))}
    text = generate_latest(Metrics(own(), ReadFleet(found, values(found, known, {}), 0.0, 0.0))).decode()
    (info,) = (line for line in text.splitlines() if line.startswith("leased_schedule_info"))
    assert 'catch_up="skip",enabled="true",overlap="queue"' in info


def test_the_fleet_is_told_by_application_release_and_state() -> None:
    held = replace(REPLICA, holder="h2", state="draining", generation=4, held_back_by=43)
    lines = (REPLICA, held, replace(REPLICA, holder="h3", seen_ago=40.0))
    found = shown(own(), fleet(replicas=lines))
    states = {state: found[f"leased_replicas{{application=shop,state={state}}}"] for state in ("alive", "draining", "silent")}  # fmt: skip
    assert states == {"alive": 1, "draining": 1, "silent": 1}
    assert found["leased_generations_live{application=shop}"] == 2
    assert found["leased_generations_held_back{application=shop}"] == 1
    assert found["leased_release_info{application=shop,release=abc,version=0.2.0}"] == 2
    assert [name for name in found if "leased_build_info" in name and "generation=3" in name and "revision=42" in name]


def test_what_is_late_runs_and_was_left_out_is_told_by_schedule() -> None:
    key = ("shop", "nightly")
    more: dict[str, Any] = {"unfinished": {key: Unfinished(2, 47.0, 90.0)}, "left_out": {key: LeftOut(3, False, 4, 30)}}
    found = shown(own(), fleet(replace(NIGHTLY, late_for=30.0), **more), {key: Usual(12.0, 14.0, 10)})
    expected = {"running_runs": 2, "longest_running_seconds": 47, "late_seconds": 90, "missed_times": 3}
    expected |= {"overlapped_times": 4, "expected_duration_seconds": 14, "consecutive_failures": 1, "paused": 0}
    assert {name: of_schedule(found, name) for name in expected} == expected
    paused = shown(own(), fleet(replace(NIGHTLY, late_for=30.0, paused=True)), {key: Usual(12.0, 14.0, 9)})
    assert (of_schedule(paused, "late_seconds"), of_schedule(paused, "paused")) == (0, 1)
    assert of_schedule(paused, "expected_duration_seconds") is None, "nine runs say nothing"


@pytest.mark.parametrize(
    ("longest", "definition", "level"), [(600, "{}", 0), (601, "{}", 1), (61, '{"long": {"emergency": 60}}', 3)]
)
def test_the_level_of_the_longest_run_is_told(longest: float, definition: str, level: int) -> None:
    found = fleet(unfinished={("shop", "nightly"): Unfinished(1, longest, 0.0)})
    (one,) = values(found, {"d": read_policies(definition)}, {})
    assert one.values["long_running_level"] == level


def test_how_long_runs_usually_take_is_read_first_of_the_schedules_of_which_one_may_be_long(sqlite_url: str) -> None:
    metrics = ServedMetrics(sqlite_url, own(), print)
    many = [replace(NIGHTLY, schedule=f"number-{at}") for at in range(101)]
    last = ("shop", "number-100")
    assert last not in metrics._to_read(many, {})
    assert metrics._to_read(many, {last: Unfinished(1, 601.0, 0.0)})[0] == last
    metrics.close()


@pytest.mark.parametrize(
    ("schedule", "definition", "usual", "expected"),
    [
        (NIGHTLY, "{}", None, AT - 12 * HOUR + 3900),
        (NIGHTLY, "{}", Usual(1.0, 60.0, 10), AT - 12 * HOUR + 360),
        (NIGHTLY, '{"start_within": 1800}', Usual(1.0, 60.0, 1), AT - 12 * HOUR + 1860),
        (replace(NIGHTLY, owed_by=AT), '{"finish_by": "06:00"}', None, AT),
        (replace(NIGHTLY, owed=None), '{"finish_by": 7200}', None, AT + 12 * HOUR + 2 * HOUR),
        (replace(NIGHTLY, missed=AT - 13 * HOUR, owed_by=AT), "{}", Usual(1, 0.0, 1), AT - 13 * HOUR + 300),
        (replace(NIGHTLY, missed=AT - 13 * HOUR, owed_by=AT), '{"catch_up": "skip"}', None, AT),
        (replace(NIGHTLY, owed=None, next_due=None), "{}", None, None),
        (NIGHTLY, '{"enabled": false}', None, None),
        *((NIGHTLY, f'{{"finish_by": {unknown}}}', None, None) for unknown in ('"25:00"', "{}", "[1]", "1e300")),
        (NIGHTLY, '{"finish_by": "06:00", "timezone": "Mars/Base"}', None, None),
    ],
)  # fmt: skip
def test_the_next_success_has_a_deadline(
    schedule: ScheduleFacts, definition: str, usual: Usual | None, expected: float | None
) -> None:
    assert success_deadline(schedule, read_policies(definition), usual) == expected


def test_the_text_of_5000_schedules_is_made_in_steps_of_less_than_20_ms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its thread's own time: meanwhile it may keep all others from their turn."""
    names = [f"{number}-of-a-name-as-long-as-most-are" for number in range(5_000)]
    found = fleet(*(replace(NIGHTLY, schedule=name) for name in names))
    longest = []
    for _ in range(2):  # the machine may have other things to do
        ends = [thread_time()]
        monkeypatch.setattr(steps, "sleep", lambda _, ends=ends: ends.append(thread_time()))
        text = text_of(Metrics(own(schedules=names), ReadFleet(found, values(found, {"d": KNOWN}, {}), 0.0, 0.0)))
        ends.append(thread_time())
        longest.append(max(after - before for before, after in pairwise(ends)))
        assert len(ends) > len(text) / 100_000
    assert min(longest) < 0.02


def asked(metrics: ServedMetrics, *between: Callable[[], None]) -> list[str]:
    """Return the texts, the first one and one after each step."""

    async def ask() -> list[str]:
        texts = [await metrics.text()]
        for step in between:
            step()
            texts.append(await metrics.text())
        return [text.decode() for text in texts]

    try:
        return asyncio.run(ask())
    finally:
        metrics.close()


def test_a_text_is_made_anew_only_when_the_last_one_is_old(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passed, measures = [0.0], Measures()
    monkeypatch.setattr(served, "monotonic", lambda: passed[0])

    def fail_and_pass(seconds: float) -> None:
        measures(WriteRefused(RunSubject("shop", "nightly", 1, 1, "web1"), "nobody"))
        passed[0] += seconds

    first, same, other = asked(
        ServedMetrics(sqlite_url, own(measures), print), lambda: fail_and_pass(9.0), lambda: fail_and_pass(2.0)
    )
    assert first == same != other
    assert 'refused_total{application="shop"} 2.0' in other


def test_while_the_database_is_away_a_replica_tells_of_itself_and_how_old_the_rest_is(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed, said = [0.0], list[str]()
    monkeypatch.setattr(served, "monotonic", lambda: passed[0])
    database = Path(sqlite_url.removeprefix("sqlite:///"))

    def lose() -> None:
        database.rename(database.with_suffix(".away"))
        database.mkdir()
        passed[0] += 60.0

    def go_on() -> None:
        passed[0] += 60.0

    metrics = ServedMetrics(sqlite_url, own(), said.append)
    metrics_texts = asked(metrics, lose, go_on)
    assert [f'leased_snapshot_age_seconds{{application="shop"}} {age}' in text for age, text in zip(("0.0", "60.0", "120.0"), metrics_texts, strict=True)] == [True] * 3  # fmt: skip
    assert all("leased_lease_renewals_total" in text for text in metrics_texts)
    assert len(said) == 1, "a warning for each scrape would fill the log"
