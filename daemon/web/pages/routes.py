"""The routes of the pages, made from the table of them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from lease.errors import LeaseError

from ...errors import Ambiguous, DaemonError, InvalidInstant, NotFound
from ..api.asked import Unfit, checked
from ..api.desk import Busy, Desk
from ..door import admitted_of
from .frame import refused_frame
from .making import Maker
from .overview import OVERVIEW
from .page import Looker, Page, PagePlace, PageView, Theme
from .runs import RUNS
from .schedule import SCHEDULE
from .sign_in import sign_in_routes
from .site import asset_routes, render
from .snapshot import Snapshot
from .view import ViewAsked, kept

PAGES: Sequence[Page] = (OVERVIEW, SCHEDULE, RUNS)


def page_routes(desk: Desk, takeover_after: float) -> list[BaseRoute]:
    """Return the routes; ``desk`` is where they ask the database."""
    maker = Maker(desk, Snapshot(desk, takeover_after), takeover_after)
    return [
        *(Route(page.path, partial(_shown, page, maker), name=page.name) for page in PAGES),
        Route("/view", _kept, name="view"),
        *sign_in_routes(),
        *asset_routes(),
    ]


def looker_of(request: Request) -> Looker:
    """Return who looks, by what their browser has kept."""
    theme, zone = request.cookies.get("leased_theme", "auto"), request.cookies.get("leased_zone", "schedule")
    known = cast("Theme", theme) if theme in get_args(Theme) else "auto"
    admitted = admitted_of(request)
    return Looker(known, zone[:100], admitted.may_act, is_signed_in=admitted.has_session)


def place_of(request: Request) -> PagePlace:
    """Return where the page stands that a request asks for."""
    query = f"?{request.url.query}" if request.url.query else ""
    return PagePlace(request.scope.get("root_path", "") + "/", request.url.path + query)


async def _shown(page: Page, maker: Maker, request: Request) -> Response:
    looker = looker_of(request)
    try:
        view = PageView(page, checked(page.asks, _given(request)), looker, place_of(request))
        made = await maker.page(view, await maker.snapshot.latest())
    except (DaemonError, LeaseError) as error:
        return await _refused(place_of(request), looker, error)
    return HTMLResponse(made.html)


async def _kept(request: Request) -> Response:
    try:
        return kept(checked(ViewAsked, _given(request)), request)
    except DaemonError as error:
        root = place_of(request).root
        return await _refused(PagePlace(root, root), looker_of(request), error)


async def _refused(place: PagePlace, looker: Looker, error: DaemonError | LeaseError) -> Response:
    status, sentence = _status(error), " ".join(str(error).split())
    context = refused_frame(place, looker) | {"status": status, "sentence": sentence}
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
