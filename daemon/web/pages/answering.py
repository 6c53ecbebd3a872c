"""What each answer of the pages needs: who asks, for what, and the page that says why there is no other."""

import asyncio
from typing import Any, cast, get_args
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from lease.errors import LeaseError

from ...errors import DaemonError
from ..api.asked import Unfit
from ..api.endpoints import sentence_of, status_of
from ..door import admitted_of, sees_details
from .frame import refused_frame
from .page import Looker, PagePlace, Theme
from .site import render


def looker_of(request: Request) -> Looker:
    """Return who looks, by what their browser has kept."""
    theme, zone = request.cookies.get("leased_theme", "auto"), request.cookies.get("leased_zone", "schedule")
    known = cast("Theme", theme) if theme in get_args(Theme) else "auto"
    admitted = admitted_of(request)
    return Looker(known, zone[:100], admitted.may_act, admitted.who, is_signed_in=admitted.session_end is not None)


def root_of(request: Request) -> str:
    """Return where the site begins, with a slash at its end."""
    return f"{request.scope.get('root_path', '')}/"


def place_of(request: Request) -> PagePlace:
    """Return where the page stands that a request asks for."""
    query = f"?{request.url.query}" if request.url.query else ""
    return PagePlace(root_of(request), quote(request.scope["path"]) + query)


async def refused_page(place: PagePlace, looker: Looker, error: DaemonError | LeaseError) -> Response:
    """Return the page that says why there is no other."""
    return await _page(place, looker, status_of(error), sentence_of(error))


async def page_of_refusal(request: Request, status: int, sentence: str) -> Response:
    """Return the page that says why a request is not carried out, also to one who may not pass the door."""
    looker = looker_of(request) if sees_details(request) else Looker(may_act=False)
    return await _page(place_of(request), looker, status, sentence)


async def _page(place: PagePlace, looker: Looker, status: int, sentence: str) -> Response:
    # The version is not shown to those who may not pass the door.
    context = refused_frame(place, looker) | {"version": "", "status": status, "sentence": sentence}
    return HTMLResponse((await asyncio.to_thread(render, "refused", context)).html, status)


def given_by(request: Request) -> dict[str, Any]:
    """Return what the address gives, without what is empty; raises `Unfit`."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Unfit(f"{name} is given twice; give it once")
        if value:
            given[name] = value
    return given | request.path_params
