"""How a page is made: from the shared status and its own reading, on the threads of the API and of the templates."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ...answers.status import StatusFound
from ..api.desk import Desk
from .frame import frame
from .page import Page, PageView, Visit
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
        unit = partial(_read, view.page, view.asked, visit)
        context = await self.desk.read(unit, (view.page.name, view.asked, view.looker))
        async with self.turn:
            return await asyncio.to_thread(render, view.page.name, {**frame(view, visit), **context})


def _read(page: Page, asked: Any, visit: Visit, connection: Connection) -> Mapping[str, object]:
    return page.reads(connection, asked, visit)
