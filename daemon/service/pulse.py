"""What a replica does beside its runs, every second: save how far jobs have come, and tell that it is still there."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Literal

from sqlalchemy import Connection

from lease.errors import StoreUnavailable

from ..execution.completion import save_progress
from ..execution.context import ReplicaContext
from ..jobs.reports import Progress
from ..recovery import registry

_SAVE_EVERY = 1.0
_SEEN_EVERY = 5.0


class Pulse:
    """Goes on beside the runs until it is cancelled.

    ``take_progress`` returns what is not saved yet, by job run; ``draining`` tells whether the replica claims nothing more.
    """

    def __init__(
        self,
        around: ReplicaContext,
        entry: registry.ReplicaEntry,
        take_progress: Callable[[], Mapping[int, Progress]],
        draining: Callable[[], bool],
    ) -> None:
        self._around = around
        self._entry = entry
        self._take_progress = take_progress
        self._draining = draining
        self._seen = monotonic()

    async def go_on(self) -> None:
        """Save and tell, every second."""
        while True:
            await asyncio.sleep(_SAVE_EVERY)
            try:
                await self._save_progress()
                if monotonic() - self._seen > _SEEN_EVERY:
                    await self.tell_seen()
            except StoreUnavailable:
                continue
            except Exception as error:  # noqa: BLE001 - it never ends quietly: others would take this replica for dead
                self._around.watcher.note(f"an error of leased itself beside the runs, which go on: {error!r}")

    async def tell_seen(self) -> None:
        """Write that this replica lives; losing a lease is told apart from dying by it (rule 16)."""
        entry = self._entry
        state: Literal["running", "draining"] = "draining" if self._draining() else "running"

        def unit(connection: Connection) -> None:
            if not registry.seen(connection, entry.holder, state):  # it was away for so long that it was cleared away
                registry.register(connection, entry)

        await self._around.database.write(unit)
        self._seen = monotonic()

    async def _save_progress(self) -> None:
        if unsaved := self._take_progress():
            holder = self._around.client.holder
            await self._around.database.write(lambda connection: save_progress(connection, holder, unsaved))
