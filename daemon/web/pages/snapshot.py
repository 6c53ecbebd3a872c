"""The latest status, which all pages share: however many people look, the database is asked once."""

import asyncio
from time import monotonic

from ...answers.status import StatusFound, StatusReader
from ..api.desk import Desk

_FRESH = 1.0
"""Seconds for which a status is taken as it is …"""
_USABLE = 5.0
"""… and after which it is waited for; between them it is taken, and read again for the next …"""
_AFTERWARDS = 0.2
"""… so many seconds later: what is answered now shall not share the processor with that."""


class Snapshot:
    """The latest status of all schedules."""

    def __init__(self, desk: Desk, takeover_after: float) -> None:
        self._desk = desk
        self._reader = StatusReader(None, None, None, None, None, takeover_after, with_deadlines=False)
        self._latest: tuple[float, StatusFound] | None = None
        self._reading: asyncio.Task[StatusFound] | None = None
        self._planned: asyncio.Task[None] | None = None

    async def fresh(self) -> StatusFound:
        """Return a status a second old at most; raises what the database raises."""
        return await self.latest(_FRESH)

    async def latest(self, usable: float = _USABLE) -> StatusFound:
        """Return a status a few seconds old at most; raises what the database raises."""
        age = float("inf") if self._latest is None else monotonic() - self._latest[0]
        if self._latest is not None and age <= _FRESH:
            return self._latest[1]
        if self._latest is not None and age <= usable:
            if self._planned is None and self._reading is None:
                self._planned = asyncio.create_task(self._begin_later())
            return self._latest[1]
        return await asyncio.shield(self._begin())

    def forget(self) -> None:
        """Forget the latest status: somebody has acted, and the next to ask must see that."""
        self._latest = self._reading = None

    async def _begin_later(self) -> None:
        """Begin afterwards. A task, not a timer, which would begin to read in an event loop that ends."""
        await asyncio.sleep(_AFTERWARDS)
        self._planned = None
        self._begin()

    def _begin(self) -> asyncio.Task[StatusFound]:
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(_heard)
        return self._reading

    async def _read(self) -> StatusFound:
        this = asyncio.current_task()
        try:
            began = monotonic()
            found = await self._desk.read(self._reader.read, self)
            if self._reading is this:
                self._latest = began, found
            return found
        finally:
            if self._reading is this:
                self._reading = None


def _heard(reading: asyncio.Task[StatusFound]) -> None:
    """Keep asyncio from logging an error that nobody waited for; the next to ask gets one of their own."""
    if not reading.cancelled():
        reading.exception()
