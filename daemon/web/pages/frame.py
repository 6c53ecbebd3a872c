"""What stands around each page: header, tabs, banner, footer and title."""

from dataclasses import dataclass

from ...version import package_version
from .banners import banners
from .moments import ShownTimes
from .page import Looker, PagePlace, PageView, Visit


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


def frame(view: PageView, visit: Visit) -> dict[str, object]:
    """Return what the template of every page needs."""
    overview = visit.status.overview
    applications = sorted({line.application for line in overview.schedules})
    return {
        **refused_frame(view.place, visit.looker),
        "current": view.page.tab or view.page.name,
        "problem_count": len(visit.status.problems),
        "is_known": True,
        "t": ShownTimes(visit.now, visit.looker.zone),
        "banners": banners(visit.status),
        "applications": applications,
        "replica_count": len(visit.status.living),
        "several": len(applications) > 1,
    }


def refused_frame(place: PagePlace, looker: Looker) -> dict[str, object]:
    """Return what a page needs that shows nothing of the database."""
    return {
        "root": place.root,
        "here": place.here,
        "tabs": TABS,
        "current": "",
        "looker": looker,
        "problem_count": 0,
        "is_known": False,
        "banners": (),
        "version": package_version(),
        "applications": [],
        "replica_count": 0,
        "several": False,
    }
