"""The first page: what is wrong, what runs, what comes, and the schedules."""

from collections.abc import Mapping

from sqlalchemy import Connection

from ..api.asked import Parameters
from .page import Page, Visit


class OverviewAsked(Parameters):
    """Which schedules are listed."""


def _read(_connection: Connection, _asked: OverviewAsked, visit: Visit) -> Mapping[str, object]:
    return {"problems": visit.status.problems}


OVERVIEW = Page("/", "overview", OverviewAsked, _read)
