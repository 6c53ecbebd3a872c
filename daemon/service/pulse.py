"""The pulse of a replica, beside its runs: it saves how far jobs have come, and shows that the replica lives."""

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
from ..telemetry.facts import Note

_SAVE_EVERY = 1.0
_SEEN_EVERY = 5.0


class Pulse:
    """Goes on beside the runs until it is cancelled.

    ``take_progress`` returns what is not saved yet, by job run; ``draining`` returns whether the replica claims nothing more.
    """

    def __init__(
        self,
        context: ReplicaContext,
        entry: registry.ReplicaEntry,
        take_progress: Callable[[], Mapping[int, Progress]],
        draining: Callable[[], bool],
    ) -> None:
        self._context = context
        self._entry = entry
        self._take_progress = take_progress
        self._draining = draining
        self._touched = monotonic()

    async def go_on(self) -> None:
        """Save progress every second, and touch the replica's entry every five."""
        while True:
            await asyncio.sleep(_SAVE_EVERY)
            try:
                await self._save_progress()
                if monotonic() - self._touched > _SEEN_EVERY:
                    await self.touch()
            except StoreUnavailable:
                continue
            except Exception as error:  # noqa: BLE001 - it never ends quietly: others would take this replica for dead
                self._context.notify(Note(f"an error of leased itself beside the runs, which go on: {error!r}"))

    async def touch(self) -> None:
        """Record that this replica lives: by that, others tell losing a lease apart from dying (rule 16)."""
        entry = self._entry
        state: Literal["running", "draining"] = "draining" if self._draining() else "running"

        def transaction(connection: Connection) -> None:
            if not registry.touch(connection, entry.holder, state):  # away for so long that it was deleted
                registry.register(connection, entry)

        await self._context.database.write(transaction)
        self._touched = monotonic()

    async def _save_progress(self) -> None:
        if unsaved := self._take_progress():
            holder = self._context.client.holder
            await self._context.database.write(lambda connection: save_progress(connection, holder, unsaved))
