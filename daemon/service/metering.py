"""The metrics of a replica: the counts of its facts, and the route under which they are served."""

import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lease.database.backend import backend_of
from lease.errors import StoreUnavailable

from ..telemetry.facts import Note
from ..telemetry.measures import Measures
from ..telemetry.notifier import Notifier
from ..version import package_version
from ..web.door import refused
from ..web.health import Loops
from ..web.metrics.reading import Own
from .replica import Replica

if TYPE_CHECKING:
    from ..web.metrics.served import ServedMetrics

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def own_facts(replica: Replica, loops: Loops, measures: Measures) -> Own:
    """Return what the metrics of a replica are made of, beside what is read of the fleet."""
    context, application = replica.context, replica.context.application
    return Own(
        application=application.name,
        schedules=[schedule.name for schedule in application.schedules],
        holder=context.client.holder,
        version=package_version(),
        revision=application.revision,
        database=backend_of(context.database.url).name,
        python=platform.python_version(),
        measures=measures,
        loops=loops,
        held=lambda: len(replica.runs),
    )


@contextmanager
def metered(replica: Replica, loops: Loops, facts: Notifier, url: str) -> Iterator[Sequence[BaseRoute]]:
    """Count facts during the block, and give the route of `/metrics`."""
    measures = Measures()
    facts.add(measures)
    own = own_facts(replica, loops, measures)
    served: ServedMetrics | None = None

    async def text(_request: Request) -> Response:
        nonlocal served
        from ..web.metrics.served import ServedMetrics  # noqa: PLC0415 - prometheus_client is loaded when it is asked for

        served = served or ServedMetrics(url, own, lambda said: facts.notify(Note(said, is_warning=True)))
        try:
            return Response(await served.text(), headers={"Content-Type": TEXT})
        except StoreUnavailable as error:
            return refused(503, str(error))

    try:
        yield [Route("/metrics", text)]
    finally:
        if served is not None:
            served.close()
