"""The web server of a replica, which may have to wait for the address of the one that it replaces."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.routing import BaseRoute

from ..telemetry.facts import Note, Notify
from ..web.app import WebNotStarted, WebServer, web_app
from ..web.door import Door
from ..web.health import Standing
from .outside.link import SupervisorLink
from .readiness import Readiness

_AGAIN = 0.1
"""Seconds between two looks whether that address is free."""


@asynccontextmanager
async def served(
    readiness: Readiness,
    door: Door | None,
    link: SupervisorLink,
    notify: Notify,
    *,
    standing: Standing = lambda: None,
    routes: Sequence[BaseRoute] = (),
) -> AsyncIterator[None]:
    """Answer over HTTP, ``routes`` too, during the block, if there is a door; raises `WebNotStarted`.

    A replica that takes the place of another one takes its address when that has ended.
    """
    if door is None:
        yield
        return
    app = web_app(
        *(door, readiness.loops, readiness.problems, readiness.counts),
        standing=standing,
        blocked=readiness.blocked,
        routes=routes,
    )
    server = WebServer(app, door.bound, lambda said: notify(Note(said, is_warning=True)))
    waiting = None
    if door.bound.port and link.replaces_a_living_one():
        waiting = asyncio.create_task(_start_later(server, link, notify))
    else:
        _start(server, link, notify)
    try:
        yield
    finally:
        if waiting is not None:
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
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
