"""The web server of a replica, its metrics among what it serves, which may have to wait for the address of the replica that
it replaces; and the one of `leased web`.
"""

import asyncio
import platform
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lease.database.backend import backend_of
from lease.errors import LeaseError, StoreUnavailable

from ..errors import DaemonError
from ..own_thread import beside
from ..store.views.replicas import read_last_alive, read_replicas
from ..telemetry.facts import Note, Notify
from ..telemetry.measures import Measures
from ..telemetry.notifier import Notifier
from ..text import when
from ..version import package_version
from ..web.address import WebAddress
from ..web.api.desk import Desk
from ..web.api.routes import api_routes
from ..web.app import METRICS_TEXT, WebNotStarted, WebServer, web_app
from ..web.door import Door, refused
from ..web.health import Loops
from ..web.metrics.reading import Own
from ..web.pages.routes import page_routes
from .doctor.checks import doctor
from .outside.outside import SupervisorLink
from .replica import Readiness, Replica
from .settings import Settings

if TYPE_CHECKING:
    from ..web.metrics.served import ServedMetrics


def door_to(address: WebAddress, settings: Settings) -> Door:
    """Return whom a server at this address lets in."""
    proxies = tuple(map(ip_network, settings.web_proxies))
    return Door(address, *settings.tokens, settings.hosts, settings.pages_at, settings.web_user_header, proxies)


def routes_of(desk: Desk, settings: Settings) -> list[BaseRoute]:
    examine, takeover_after = partial(doctor, settings), settings.takeover_after
    return [*api_routes(desk, takeover_after, examine), *page_routes(desk, takeover_after, examine)]


_AGAIN = 0.1
"""Seconds between two looks whether that address is free."""


@asynccontextmanager
async def web_server(
    replica: Replica,
    readiness: Readiness,
    address: WebAddress,
    *,
    settings: Settings,
    facts: Notifier,
    link: SupervisorLink,
) -> AsyncIterator[None]:
    """Serve the probes, metrics, API and pages of a replica during the block; raises `WebNotStarted`."""
    facts.add(measures := Measures())
    own = own_facts(replica, readiness.loops, measures)
    metrics: ServedMetrics | None = None

    async def text(_request: Request) -> Response:
        nonlocal metrics
        from ..web.metrics.served import ServedMetrics  # noqa: PLC0415 - prometheus_client is loaded when it is asked for

        metrics = metrics or ServedMetrics(
            settings.database, own, lambda said: facts.notify(Note(said, is_warning=True))
        )
        try:
            return Response(await metrics.text(), headers={"Content-Type": METRICS_TEXT})
        except StoreUnavailable as error:
            return refused(503, str(error))

    with closing(Desk(settings.database)) as desk:
        try:
            routes = [Route("/metrics", text), *routes_of(desk, settings)]
            async with served(readiness, door_to(address, settings), link, facts.notify, routes=routes):
                yield
        finally:
            if metrics is not None:
                metrics.close()


@asynccontextmanager
async def served(
    readiness: Readiness, door: Door, link: SupervisorLink, notify: Notify, *, routes: Sequence[BaseRoute] = ()
) -> AsyncIterator[None]:
    """Answer over HTTP, ``routes`` too, during the block; raises `WebNotStarted`. A replica that takes the place of
    another one takes its address when that has ended.
    """
    app = web_app(
        *(door, readiness.loops, readiness.problems, readiness.counts),
        standing=readiness.standing,
        blocked=readiness.blocked,
        routes=routes,
    )
    server = WebServer(app, door.bound, lambda said: notify(Note(said, is_warning=True)))
    try:
        if door.bound.port and link.replaces_a_living_one():
            async with beside(_start_later(server, link, notify)):
                yield
        else:
            _start(server, link, notify)
            yield
    finally:
        server.stop()


def _start(server: WebServer, link: SupervisorLink, notify: Notify) -> None:
    bound = server.start()
    link.serves(bound)
    notify(Note(f"http://{bound}/"))


async def _start_later(server: WebServer, link: SupervisorLink, notify: Notify) -> None:
    said: str | None = None
    while True:
        if not link.replaces_a_living_one():
            try:
                _start(server, link, notify)
            except WebNotStarted as error:
                if said != str(error):
                    said = str(error)
                    notify(Note(f"{said}; trying again", is_warning=True))
            else:
                return
        await asyncio.sleep(_AGAIN)


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


_REST = 1.0
"""Seconds between two looks whether the database answers, which are taken only when somebody asks."""


@dataclass(eq=False)
class WebAlone:
    """Serves the pages and the API at ``bound``; ``look`` raises what keeps the database from answering."""

    settings: Settings
    bound: WebAddress
    look: Callable[[], object]

    def __post_init__(self) -> None:
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._said: str | None = None

    def stop(self) -> None:
        """Let `serve` return; a signal's handler may call it."""
        self._stopping.set()
        self._wanted.set()

    def serve(self, tell: Callable[[str], object], warn: Callable[[str], object]) -> None:
        """Answer until `stop` is called; raises `WebNotStarted`."""
        desk = Desk(self.settings.database)
        door = door_to(self.bound, self.settings)
        routes = [Route("/metrics", _no_metrics), *routes_of(desk, self.settings)]
        server = WebServer(web_app(door, dict, self._problems, routes=routes), self.bound, warn)
        try:
            tell(f"http://{server.start()}/")
            while not self._stopping.is_set():
                try:
                    self.look()
                except (DaemonError, LeaseError) as error:
                    if self._said is None:
                        warn(f"{error}; trying again")
                    self._said = str(error)
                else:
                    self._said = None
                self._stopping.wait(_REST)
                self._wanted.wait()
                self._wanted.clear()
        finally:
            server.stop()
            desk.close()

    def _problems(self) -> dict[str, str]:
        self._wanted.set()
        return {} if self._said is None else {"database": self._said}


def nobody_runs(connection: Connection) -> str | None:
    """Return that no replica is running, since when, and what starts one; None if one is."""
    if any(one.is_alive for one in read_replicas(connection)):
        return None
    last = read_last_alive(connection)
    since = "no replica has run yet" if last is None else f"no replica has been running since {when(last)}"
    return f"{since}; start one: leased run FILE"


async def _no_metrics(_: Request) -> Response:
    return refused(404, "leased web serves no metrics: each replica of leased run serves its own")
