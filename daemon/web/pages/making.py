"""How a page is made: from the shared status and its own reading, on the threads of the API and of the templates."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from lease.database.database import Unit

from ...answers.status import StatusFound
from ..api.desk import Desk
from .frame import frame
from .page import PageView, Visit
from .site import Rendered, render
from .snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes pages."""

    desk: Desk
    snapshot: Snapshot
    takeover_after: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One page is made at a time: several threads at once would only keep the replica's own from its turn."""

    async def page(self, view: PageView, status: StatusFound) -> Rendered:
        """Return a page as it looks with this status; raises what the reading of it raises."""
        visit = Visit(status, view.looker, self.takeover_after)
        context = await self.desk.read(reading(view, visit), (view.page.name, view.asked, view.looker))
        return await self.rendered(view, visit, context)

    async def rendered(self, view: PageView, visit: Visit, context: Mapping[str, object]) -> Rendered:
        """Return a page made of what was read for it."""
        async with self.turn:
            return await asyncio.to_thread(render, view.page.name, {**frame(view, visit), **context})


def reading(view: PageView, visit: Visit) -> Unit[Mapping[str, object]]:
    """Return what reads all that a page needs besides the status."""
    return lambda connection: view.page.reads(connection, view.asked, visit)
