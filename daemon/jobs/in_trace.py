"""The span of an attempt as the current one of its function, where OpenTelemetry is loaded."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def in_trace(carrier: Mapping[str, str]) -> Iterator[None]:
    """Have the span that these variables name as the current one during the block, where OpenTelemetry is loaded."""
    if not carrier or "opentelemetry.trace" not in sys.modules:
        yield
        return
    from opentelemetry import context  # noqa: PLC0415 - it is loaded
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    named = {name.lower(): value for name, value in carrier.items()}
    token = context.attach(TraceContextTextMapPropagator().extract(named))
    try:
        yield
    finally:
        context.detach(token)
