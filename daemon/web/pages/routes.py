"""The routes of the pages, made from the table of them."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, cast, get_args

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from lease.errors import LeaseError

from ...errors import Ambiguous, DaemonError, InvalidInstant, NotFound
from ..api.asked import Unfit, checked
from ..api.desk import Busy, Desk
from .frame import frame, refused_frame
from .overview import OVERVIEW
from .page import Looker, Page, Theme, Visit
from .schedule import SCHEDULE
from .site import asset_routes, render
from .snapshot import Snapshot

PAGES: Sequence[Page] = (OVERVIEW, SCHEDULE)


def page_routes(desk: Desk, takeover_after: float) -> list[BaseRoute]:
    """Return the routes; ``desk`` is where they ask the database."""
    snapshot = Snapshot(desk, takeover_after)
    return [
        *(Route(page.path, partial(_shown, page, desk, snapshot, takeover_after), name=page.name) for page in PAGES),
        *asset_routes(),
    ]


def looker_of(request: Request) -> Looker:
    """Return who looks, by what their browser has kept."""
    theme, zone = request.cookies.get("leased_theme", "auto"), request.cookies.get("leased_zone", "schedule")
    known = cast("Theme", theme) if theme in get_args(Theme) else "auto"
    return Looker(known, zone[:100])


async def _shown(page: Page, desk: Desk, snapshot: Snapshot, takeover_after: float, request: Request) -> Response:
    looker = looker_of(request)
    try:
        asked = checked(page.asks, _given(request))
        visit = Visit(await snapshot.latest(), looker, takeover_after)
        context = await desk.read(partial(_read, page, asked, visit), (page.name, asked, looker))
    except (DaemonError, LeaseError) as error:
        return await _refused(request, looker, _status(error), " ".join(str(error).split()))
    whole = {**frame(page, request, visit), **context}
    return HTMLResponse((await asyncio.to_thread(render, page.name, whole)).html)


def _read(page: Page, asked: Any, visit: Visit, connection: Connection) -> Mapping[str, object]:
    return page.reads(connection, asked, visit)


async def _refused(request: Request, looker: Looker, status: int, sentence: str) -> Response:
    context = refused_frame(request, looker) | {"status": status, "sentence": sentence}
    return HTMLResponse((await asyncio.to_thread(render, "refused", context)).html, status)


def _given(request: Request) -> dict[str, Any]:
    """Return what the address gives, without what is empty; raises `Unfit`."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Unfit(f"{name} is given twice; give it once")
        if value:
            given[name] = value
    return given | request.path_params


def _status(error: DaemonError | LeaseError) -> int:
    match error:
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case Unfit() | Ambiguous() | InvalidInstant():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case Busy() | LeaseError():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case _:
            return HTTPStatus.CONFLICT
