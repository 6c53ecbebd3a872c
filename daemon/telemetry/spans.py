"""Spans of runs, jobs and requests for OpenTelemetry, where the program has set a tracer provider.

Nothing of OpenTelemetry is imported before that: who has set a provider has imported it.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..states import JobOutcome, RunOutcome
from ..text import last_line, shortened
from ..version import package_version
from .facts import Fact, JobEnded, JobStarted, JobSubject, RunEnded, RunStarted, RunSubject
from .logs import LOGGER

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, Tracer

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_RESULTS: Mapping[JobOutcome | RunOutcome, str] = {
    "succeeded": "success",
    "failed": "failure",
    "cancelled": "cancellation",
    "stopped": "cancellation",
    "pending": "pending",
    "lost": "error",
    "not run": "error",
    "no room": "error",
}
"""What the attribute `leased.result` says, mostly in the words of OpenTelemetry's `cicd.pipeline.result`."""


def found_spans() -> "Spans | None":
    """Return what makes spans; None if the program has set no tracer provider."""
    tracer = _found_tracer()
    return None if tracer is None else Spans(tracer)


def _found_tracer() -> "Tracer | None":
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    tracer: Tracer = trace.get_tracer("leased", package_version())
    return tracer


@contextmanager
def trigger_span(application: str, schedule: str) -> Iterator[str | None]:
    """Make the span of a request for a run, and return it as W3C Trace Context writes it; None if there is none."""
    if (tracer := _found_tracer()) is None:
        yield None
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - whoever has set a provider has it

    of = {"leased.application": application, "leased.schedule": schedule}
    with tracer.start_as_current_span(f"leased.trigger {schedule}", kind=SpanKind.PRODUCER, attributes=of) as span:
        yield _traceparent(span)


def given_traceparent(environment: Mapping[str, str]) -> str | None:
    """Return the span that called this program, as W3C Trace Context writes it; None if none is named."""
    given = environment.get("TRACEPARENT", "")
    return given if _TRACEPARENT.fullmatch(given) else None


def _traceparent(span: "Span") -> str | None:
    of = span.get_span_context()
    return f"00-{of.trace_id:032x}-{of.span_id:016x}-{of.trace_flags:02x}" if of.is_valid else None


class Spans:
    """The spans of the runs and jobs at work: of each run the root of a trace, and in it those of its jobs."""

    def __init__(self, tracer: "Tracer") -> None:
        self._tracer = tracer
        self._open: dict[RunSubject | JobSubject, Span] = {}
        self._has_failed = False

    def take(self, fact: Fact) -> None:
        """Begin or end the span that the fact is about. For any thread; never raises."""
        try:
            self._take(fact)
        except Exception:
            if not self._has_failed:
                logging.getLogger(LOGGER).exception("a span could not be made; this is logged once")
            self._has_failed = True

    def carrier(self, job: JobSubject) -> Mapping[str, str]:
        """Return the variables that pass the span of a job on, as the W3C's Trace Context names them."""
        span = self._open.get(job)
        if span is None or (parent := _traceparent(span)) is None:
            return {}
        state = span.get_span_context().trace_state
        return {"TRACEPARENT": parent, **({"TRACESTATE": state.to_header()} if state else {})}

    def _take(self, fact: Fact) -> None:
        match fact:
            case RunStarted(run, waited, requested, attempt, cause, scheduled_for):
                more: dict[str, str | int | float] = {"leased.run.attempt": attempt, "leased.run.cause": cause}
                more |= {} if waited is None else {"leased.run.lateness": waited}
                more |= {} if scheduled_for is None else {"leased.run.scheduled_for": scheduled_for.isoformat()}
                self._begin(run, f"leased.run {run.schedule}", None, more, requested)
            case JobStarted(job):
                more = {"leased.job": job.name, "leased.job.attempt": job.attempt}
                self._begin(job, f"leased.job {job.name}", self._open.get(job.run), more)
            case JobEnded(job, outcome, _, error):
                self._end(job, outcome, error)
            case RunEnded(run, outcome, reason, _):
                self._end(run, outcome, reason)
            case _:
                pass

    def _begin(
        self,
        of: RunSubject | JobSubject,
        name: str,
        parent: "Span | None",
        more: Mapping[str, str | int | float],
        requested: str | None = None,
    ) -> None:
        from opentelemetry.context import Context  # noqa: PLC0415 - whoever has set a provider has it
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415 - as above

        run, kind = (of.run, SpanKind.INTERNAL) if isinstance(of, JobSubject) else (of, SpanKind.CONSUMER)
        attributes: dict[str, str | int | float] = {
            "leased.application": run.application,
            "leased.schedule": run.schedule,
            "leased.run.id": run.run_id,
            "leased.lease.token": run.token,
            **more,
        }
        context = Context() if parent is None else set_span_in_context(parent, Context())
        links = [] if requested is None else _links(requested)
        self._open[of] = self._tracer.start_span(name, context, kind, attributes, links)

    def _end(self, of: RunSubject | JobSubject, outcome: JobOutcome | RunOutcome, error: str | None) -> None:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as above

        span = self._open.pop(of, None)
        if span is None:
            return
        result = _RESULTS[outcome]
        span.set_attribute("leased.result", result)
        if result in {"failure", "error"}:
            span.set_attribute("error.type", outcome)
            span.set_status(StatusCode.ERROR, shortened(last_line(error)))
        span.end()


def _links(traceparent: str) -> "list[Link]":
    """Return a link to a span that another process has made; none if it cannot be read."""
    from opentelemetry.trace import Link, get_current_span  # noqa: PLC0415 - whoever has set a provider has it
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    read = TraceContextTextMapPropagator().extract({"traceparent": traceparent})
    found = get_current_span(read).get_span_context()
    return [Link(found)] if found.is_valid else []


Carrier = Callable[[JobSubject], Mapping[str, str]]
"""Returns the variables that pass the span of a job on; none where there is none."""
