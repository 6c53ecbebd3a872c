"""What a page is: its address, what it asks for, what it reads, and who looks at it.

Templates write the address of a schedule as ``{{ root }}{{ schedule_path(application, name) }}``, and those of its acts
with ``/pause``, ``/run`` and so on behind it. The path of such a page is ``/schedules/{application}/{name}/pause``, and
it asks for a `links.ScheduleAsked`, which has the names as they are. No name has a "/" in a path, so that the number of
parts tells a schedule from its acts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection

from ...answers.status import StatusFound
from ...store.views.overview import ScheduleLine
from ..api.asked import Parameters

Theme = Literal["auto", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks at a page, and how they want to see it."""

    theme: Theme = "auto"
    zone: str = "schedule"
    """In which time zone: that of each schedule, ``utc``, or the name of the browser's."""
    may_act: bool = True
    who: str | None = None
    """The name that a trusted proxy gave."""
    is_signed_in: bool = False
    """Their browser has a session, which they can end."""

    @property
    def why_not(self) -> str | None:
        """Why they cannot act; None if they can."""
        return None if self.may_act else "your token only reads: acting needs the token of LEASED_WEB_TOKEN"


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page is made of besides what it reads itself."""

    status: StatusFound
    """All that `leased status` shows, a few seconds old at most."""
    looker: Looker
    takeover_after: float
    """Seconds after which older definitions take over."""

    @property
    def now(self) -> datetime:
        """What time it was by the clock of the database."""
        return self.status.overview.database_time

    def line(self, application: str, schedule: str) -> ScheduleLine | None:
        """Return what the status says of a schedule; None if it is retired."""
        lines = self.status.overview.schedules
        return next((one for one in lines if (one.application, one.schedule) == (application, schedule)), None)

    def has_replica(self, application: str) -> bool:
        """Return whether a replica of an application counts as alive."""
        return any(one.application == application for one in self.status.living)


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Where a page stands."""

    root: str
    """With what each link begins: ``/``, or the prefix of the site."""
    here: str
    """The path and the query of the page."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page. Its name is that of its template, and of its tab."""

    path: str
    name: str
    asks: type[Parameters]
    reads: Callable[[Connection, Any, Visit], Mapping[str, object]]
    """Returns what the template shows, in a fixed number of statements."""
    tab: str = ""
    """The name of the tab that is marked."""


@dataclass(frozen=True, slots=True)
class PageView:
    """A page as somebody looks at it; two that are equal see the same."""

    page: Page
    asked: Any
    looker: Looker
    place: PagePlace
