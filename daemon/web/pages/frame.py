"""What stands around each page: header, tabs, banner, footer and title."""

from dataclasses import dataclass

from starlette.requests import Request

from ...states import LIVE
from ...version import package_version
from .moments import ShownTimes
from .page import Looker, Page, Visit


@dataclass(frozen=True, slots=True)
class Tab:
    """A link in the header."""

    name: str
    path: str
    text: str


TABS = (
    Tab("overview", "", "Overview"),
    Tab("timeline", "timeline", "Timeline"),
    Tab("runs", "runs", "Runs"),
    Tab("fleet", "fleet", "Fleet"),
    Tab("activity", "activity", "Activity"),
)


def frame(page: Page, request: Request, visit: Visit) -> dict[str, object]:
    """Return what the template of every page needs."""
    overview = visit.status.overview
    applications = sorted({line.application for line in overview.schedules})
    return {
        **refused_frame(request, visit.looker),
        "current": page.tab or page.name,
        "problem_count": len(visit.status.problems),
        "is_known": True,
        "t": ShownTimes(visit.now, visit.looker.zone),
        "applications": applications,
        "replica_count": sum(replica.state in LIVE for replica in overview.replicas),
        "several": len(applications) > 1,
    }


def refused_frame(request: Request, looker: Looker) -> dict[str, object]:
    """Return what a page needs that shows nothing of the database."""
    return {
        "root": request.scope.get("root_path", "") + "/",
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "tabs": TABS,
        "current": "",
        "looker": looker,
        "problem_count": 0,
        "is_known": False,
        "version": package_version(),
        "applications": [],
        "replica_count": 0,
        "several": False,
    }
