"""The routes of the pages, made from the table of them."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from lease.errors import LeaseError

from ...answers.questions import DoctorAnswer
from ...errors import DaemonError
from ..api.asked import checked
from ..api.desk import Desk
from .activity import ACTIVITY
from .answering import given_by, looker_of, place_of, refused_page, root_of
from .checks import checks
from .dialogs.dialog import dialog_routes
from .dialogs.of_application import RETIRE
from .dialogs.of_run import CANCEL, FORGET, RETRY
from .dialogs.of_schedule import BACKFILL, PAUSE, RESUME, RUN_NOW
from .events import Hub
from .fleet import FLEET
from .making import Maker
from .output import OUTPUT, OutputAsked, download, downloaded
from .overview import OVERVIEW
from .page import Page, PagePlace, PageView
from .run import RUN
from .runs import RUNS
from .schedule import SCHEDULE
from .sign_in import sign_in_routes
from .site import asset_routes
from .snapshot import Snapshot
from .streaming import event_route
from .timeline import TIMELINE
from .view import ViewAsked, kept

DIALOGS = (RUN_NOW, PAUSE, RESUME, BACKFILL, CANCEL, RETRY, FORGET, RETIRE)
PAGES: Sequence[Page] = (OVERVIEW, SCHEDULE, TIMELINE, RUNS, RUN, OUTPUT, FLEET, ACTIVITY)


def page_routes(desk: Desk, takeover_after: float, doctor: Callable[[], DoctorAnswer]) -> list[BaseRoute]:
    """Return the routes; ``desk`` is where they ask the database, ``doctor`` examines the installation."""
    hub = Hub(Maker(desk, Snapshot(desk, takeover_after), takeover_after))
    return [
        *(Route(page.path, partial(_shown, page, hub), name=page.name) for page in PAGES),
        *(route for dialog in DIALOGS for route in dialog_routes(dialog, hub.maker)),
        Route("/fleet/checks", partial(checks, desk, doctor), name="checks"),
        Route("/view", _kept, name="view"),
        event_route(hub, PAGES),
        *sign_in_routes(),
        *asset_routes(),
    ]


async def _shown(page: Page, hub: Hub, request: Request) -> Response:
    looker = looker_of(request)
    try:
        asked = checked(page.asks, given_by(request))
        if isinstance(asked, OutputAsked) and "download" in request.query_params:
            return downloaded(*await hub.maker.desk.read(partial(download, asked=asked)))
        view = PageView(page, asked, looker, place_of(request))
        made = await hub.maker.page(view, await hub.maker.snapshot.latest())
    except (DaemonError, LeaseError) as error:
        return await refused_page(place_of(request), looker, error)
    hub.remember(made)
    return HTMLResponse(made.html)


async def _kept(request: Request) -> Response:
    try:
        return kept(checked(ViewAsked, given_by(request)), request)
    except DaemonError as error:
        root = root_of(request)
        return await refused_page(PagePlace(root, root), looker_of(request), error)
