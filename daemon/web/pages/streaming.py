"""The route of the streams: which page somebody wants to follow, and whether there is a place for them."""

from collections.abc import Sequence
from functools import partial
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from ...errors import DaemonError
from ..api.asked import checked
from ..api.endpoints import sentence_of, status_of
from ..door import admitted_of, refused
from .answering import given_by, looker_of, place_of
from .events import MOST_VIEWERS, RETRY, EventStream, Hub
from .links import is_below
from .page import Page, PageView


def event_route(hub: Hub, pages: Sequence[Page]) -> BaseRoute:
    """Return the route, whose parameter ``of`` is the path and the query of one of these pages."""
    endpoint = partial(_streamed, hub, [(Route(page.path, _nothing), page) for page in pages])
    return Route("/events", endpoint, name="events")


async def _streamed(hub: Hub, routes: Sequence[tuple[Route, Page]], request: Request) -> Response:
    of = request.query_params.get("of", "")
    path, query = urlsplit(of).path if is_below(place_of(request).root, of) else "", urlsplit(of).query
    scope = {**request.scope, "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode()}
    matches = ((route.matches(scope), page) for route, page in routes)
    found = next(((more, page) for (match, more), page in matches if match == Match.FULL), None)
    if found is None:
        return refused(404, "of: give the path of a page of this site")
    if hub.is_full:
        said = f"{MOST_VIEWERS} pages are live here already; this one shows what was when it was loaded"
        return refused(503, said, {"Retry-After": str(RETRY)})
    more, page = found
    asks = Request({**scope, **more})
    try:
        view = PageView(page, checked(page.asks, given_by(asks)), looker_of(request), place_of(asks))
    except DaemonError as error:
        return refused(status_of(error), sentence_of(error))
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    return EventStream(hub, view, request.headers.get("last-event-id", ""), admitted_of(request).session_end)


async def _nothing(_: Request) -> Response:
    return Response(status_code=404)
