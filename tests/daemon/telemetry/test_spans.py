"""Spans of runs and jobs for OpenTelemetry, made of the facts of a replica."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span, set_span_in_context

from daemon.cli import main
from daemon.instants import parse_instant
from daemon.operations.backfill import backfill
from daemon.operations.backfill_plan import Wanted
from daemon.operations.in_transaction import trigger as in_transaction
from daemon.operations.retry import retry
from daemon.operations.trigger import NoSuchSchedule, trigger
from daemon.telemetry.facts import JobEnded, JobStarted, JobSubject, Note, RunEnded, RunStarted
from daemon.telemetry.spans import Spans
from daemon.testing import ManualReplica, ManualStore
from tests.daemon.jobs.test_run import BRIEF
from tests.daemon.telemetry.told import RUN
from tests.support.manual import ONE_O_CLOCK, a_shop, facts_of, failing
from tests.support.store import Store, a_schedule

JOB = JobSubject(RUN, "load", 2)


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exported: InMemorySpanExporter) -> Iterator[Spans]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    yield Spans(provider.get_tracer("leased"))
    provider.shutdown()


def taken(spans: Spans, exported: InMemorySpanExporter, *facts: object) -> dict[str, ReadableSpan]:
    for fact in facts:
        spans.take(fact)  # type: ignore[arg-type]
    return {span.name: span for span in exported.get_finished_spans()}


def test_a_run_is_the_root_of_a_trace_and_its_job_a_span_in_it(spans: Spans, exported: InMemorySpanExporter) -> None:
    ended = (JobEnded(JOB, "succeeded", 1.0, None), RunEnded(RUN, "succeeded", None, 2.0))
    due = datetime(2026, 7, 1, 2, tzinfo=UTC)
    found = taken(spans, exported, RunStarted(RUN, 0.5, None, 3, "retry", due), JobStarted(JOB), Note("x"), *ended)
    run, job = found[f"leased.run {RUN.schedule}"], found["leased.job load"]
    assert (run.parent, run.kind, job.kind) == (None, SpanKind.CONSUMER, SpanKind.INTERNAL)
    assert job.parent is not None
    assert job.parent.span_id == run.context.span_id
    of_run = {
        "leased.application": RUN.application,
        "leased.schedule": RUN.schedule,
        "leased.run.id": RUN.run_id,
        "leased.lease.token": RUN.token,
        "leased.result": "success",
    }
    told = {"leased.run.attempt": 3, "leased.run.lateness": 0.5, "leased.run.cause": "retry"}
    assert run.attributes == {**of_run, **told, "leased.run.scheduled_for": "2026-07-01T02:00:00+00:00"}
    assert job.attributes == {**of_run, "leased.job": "load", "leased.job.attempt": 2}
    assert (run.status.status_code, spans._open) == (StatusCode.UNSET, {})


def test_the_root_has_no_part_in_the_span_of_whoever_runs_the_replica(
    spans: Spans, exported: InMemorySpanExporter
) -> None:
    from opentelemetry import context  # noqa: PLC0415 - of this test

    outer = spans._tracer.start_span("outer")
    token = context.attach(set_span_in_context(outer))
    try:
        found = taken(spans, exported, RunStarted(RUN), RunEnded(RUN, "lost", "its lease was lost\nbecause", 1.0))
    finally:
        context.detach(token)
    run = found[f"leased.run {RUN.schedule}"]
    assert (run.parent, run.attributes and run.attributes["leased.result"]) == (None, "error")
    assert (run.status.status_code, run.status.description) == (StatusCode.ERROR, "because")


def test_the_span_of_a_job_is_the_current_one_of_its_function_and_no_other(
    spans: Spans, exported: InMemorySpanExporter
) -> None:
    taken(spans, exported, RunStarted(RUN), JobStarted(JOB))
    carrier = spans.carrier(JOB)
    version, trace_id, span_id, flags = carrier["TRACEPARENT"].split("-")
    assert (version, int(flags, 16) & 1, len(carrier)) == ("00", 1, 1)
    with replace(BRIEF, trace=carrier).in_trace():
        current = get_current_span().get_span_context()
        assert (f"{current.trace_id:032x}", f"{current.span_id:016x}") == (trace_id, span_id)
    assert not get_current_span().get_span_context().is_valid
    taken(
        spans, exported, JobEnded(JOB, "failed", 1.0, "Traceback\nValueError: no"), RunEnded(RUN, "failed", "no", 1.0)
    )
    assert spans.carrier(JOB) == {}


def test_a_tracer_that_fails_is_no_failure_of_a_run_and_facts_without_a_beginning_are_none(
    spans: Spans, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    taken(spans, exported, JobEnded(JOB, "lost", 1.0, None), RunEnded(RUN, "pending", None, 1.0))
    monkeypatch.setattr(spans, "_tracer", None)
    taken(spans, exported, RunStarted(RUN), RunStarted(RUN))
    assert (exported.get_finished_spans(), len(caplog.records)) == ((), 1)


@pytest.mark.conformance
def test_a_run_links_to_the_span_of_its_request_which_is_one_of_the_program(
    database_url: str, spans: Spans, exported: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.telemetry.spans._found_tracer", lambda: spans._tracer)
    with Store(database_url) as store:
        store.sync(a_schedule("daily"))
        with spans._tracer.start_as_current_span("order"):
            by_itself = store.do(trigger, "shop", "daily", requested_by="ada")
            with store.engine.begin() as connection:
                in_transaction(connection=connection, application="shop", name="daily")
        with pytest.raises(NoSuchSchedule):
            store.do(trigger, "shop", "dayly", requested_by="ada")
        claimed = store.claim("daily")
    first, second, order, refused = exported.get_finished_spans()
    assert [one.run_id for one in claimed] == [by_itself]
    assert {first.name, second.name} == {"leased.trigger daily"}
    assert (first.kind, first.parent) == (SpanKind.PRODUCER, order.context)
    assert refused.status.status_code is StatusCode.ERROR
    found = taken(spans, exported, RunStarted(RUN, 0.5, claimed[0].traceparent), RunEnded(RUN, "succeeded", None, 1.0))[
        f"leased.run {RUN.schedule}"
    ]
    assert [(link.context.trace_id, link.context.span_id) for link in found.links] == [
        (first.context.trace_id, first.context.span_id)
    ]
    assert found.parent is None


@pytest.mark.conformance
def test_a_program_that_makes_no_spans_may_be_newer_than_the_tables(database_url: str) -> None:
    with Store(database_url) as store:
        store.sync(a_schedule("daily"))
        with suppress(InterruptedError), store.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE run DROP COLUMN traceparent")
            requested = trigger(connection, "shop", "daily", requested_by="ada")
            raise InterruptedError  # the database is used by other tests, too
        assert requested
        assert store.runs() == []


@pytest.mark.anyio
async def test_a_run_says_why_it_was_made() -> None:
    async with ManualStore(ONE_O_CLOCK) as store, ManualReplica(store, a_shop(failing, catch_up="skip")) as replica:
        await replica.run_once("nightly")
        await store.write(lambda connection: retry(connection, 1, requested_by="ada"))
        await replica.work()
        store.clock.advance("3h")
        await replica.work()
        missed = parse_instant("2026-07-01T02:00:00Z")
        await store.write(lambda c: backfill(c, Wanted("shop", "nightly", missed, missed), requested_by="ada"))
        await replica.work()
        await replica.advance_to_next_due()
        await replica.work()
        started = facts_of(replica, RunStarted)
    assert [(one.cause, f"{one.scheduled_for:%d %H:%M}") for one in started] == [
        ("manual", "01 01:00"),
        ("retry", "01 01:00"),
        ("backfill", "01 02:00"),
        ("schedule", "02 02:00"),
    ]


@pytest.mark.conformance
@pytest.mark.parametrize("given", [f"00-{'a' * 32}-{'b' * 16}-01", "00-nothing"])
def test_a_run_that_a_command_triggers_links_to_the_span_of_its_job(
    given: str,
    database_url: str,
    spans: Spans,
    exported: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Store(database_url) as store:
        store.sync(a_schedule("daily"))
        monkeypatch.setenv("TRACEPARENT", given)
        assert main(["trigger", "daily", "--database", database_url]) == 0
        (claimed,) = store.claim("daily")
    found = taken(spans, exported, RunStarted(RUN, 0.5, claimed.traceparent), RunEnded(RUN, "succeeded", None, 1.0))
    links = found[f"leased.run {RUN.schedule}"].links
    assert [f"{link.context.trace_id:032x}" for link in links] == ([] if "nothing" in given else ["a" * 32])


WITHOUT = """
import sys
from daemon.telemetry.spans import found_spans
import daemon.service.parts
assert found_spans() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
import opentelemetry.trace
assert found_spans() is None
from opentelemetry.sdk.trace import TracerProvider
opentelemetry.trace.set_tracer_provider(TracerProvider())
assert found_spans() is not None
"""


@pytest.mark.usefixtures("processes")
def test_without_a_provider_there_are_no_spans_and_nothing_is_imported() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT], check=True)
