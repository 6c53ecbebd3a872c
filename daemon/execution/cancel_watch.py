"""The watch for cancelled runs: a replica asks whether runs at work in it were marked (rule 23), or somebody asks for a
look at them.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from lease.errors import StoreUnavailable

from ..store import statements
from ..telemetry.facts import Note
from .context import ReplicaContext


class CancelWatch:
    """The watch, which runs until it is cancelled, also while the replica drains.

    It asks as often as leases are renewed, and when it is told that one was marked, in one query by the
    keys of the runs ``at_work``, and calls ``cancel(run id, by, why)`` for each that is marked, and ``look(run id, by)``
    for each that somebody asks about.
    """

    def __init__(
        self,
        context: ReplicaContext,
        at_work: Callable[[], Collection[int]],
        cancel: Callable[[int, str, str | None], None],
        look: Callable[[int, str], None] = lambda _run_id, _by: None,
    ) -> None:
        self._context = context
        self._at_work = at_work
        self._cancel = cancel
        self._look = look
        self._told = asyncio.Event()

    def wake(self) -> None:
        """Ask at once."""
        self._told.set()

    async def watch(self) -> None:
        """Ask every `renew_every` seconds; ask nothing while no run is at work."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._context.client.timing.renew_every):
                    await self._told.wait()
            self._told.clear()
            try:
                await self.look()
            except StoreUnavailable:  # asked again with the next renewal, or the lease is lost
                continue
            except Exception as error:  # noqa: BLE001 - without the watch, no cancel would be heard any more
                self._context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    async def look(self) -> None:
        """Ask once."""
        ids = list(self._at_work())
        if not ids:
            return
        for row in await self._context.database.read(lambda c: statements.cancel.find_told(c, ids)):
            if row.cancelled_at is not None:
                self._cancel(row.id, row.cancelled_by, row.cancelled_why)
            if row.look_asked_by is not None:
                self._look(row.id, row.look_asked_by)
