"""The pulse of a replica: beside its runs, it saves their progress and shows that it is alive."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic

from sqlalchemy import Connection

from lease.errors import StoreUnavailable

from ..execution.completion import save_progress
from ..execution.context import ReplicaContext
from ..jobs.reports import Progress
from ..recovery import registry
from ..recovery.deaths import Neighbour, neighbours, proven_dead
from ..scheduling.rollout import Rollout
from ..states import LiveReplicaState
from ..telemetry.facts import Note

_SAVE_EVERY = 1.0
TOUCH_EVERY = 5.0
"""Seconds between two signs of life."""


class Pulse:
    """The pulse, which runs until it is cancelled.

    ``take_progress`` returns the progress that is not saved yet, by job run id; ``draining``
    returns whether the replica is draining; ``rollout`` looks which definitions rule.
    """

    def __init__(
        self,
        context: ReplicaContext,
        entry: registry.ReplicaEntry,
        take_progress: Callable[[], Mapping[int, Progress]],
        draining: Callable[[], bool],
        rollout: Rollout,
    ) -> None:
        self._context = context
        self._entry = entry
        self._take_progress = take_progress
        self._draining = draining
        self._rollout = rollout
        self._touch_every = min(TOUCH_EVERY, rollout.look_every)
        self._touched = monotonic()
        self._shown: LiveReplicaState = "running"

    async def beat(self) -> None:
        """Save progress every second; every five seconds (more often if `takeover_after` is short),
        or when its state changes, touch the replica's entry, and look which definitions rule.
        """
        while True:
            await asyncio.sleep(_SAVE_EVERY)
            for part in (
                self._show_life,
                self._save_progress,
                self._record_losses,
            ):  # what keeps one off keeps the other off no time
                try:
                    await part()
                except StoreUnavailable:
                    self._rollout.lose_contact()
                except Exception as error:  # noqa: BLE001 - without a pulse, others would take this replica for dead
                    self._context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    async def _show_life(self) -> None:
        if self._state() != self._shown or monotonic() - self._touched > self._touch_every:
            await self.touch()
            if not self._draining():
                await self._rollout.look()

    async def touch(self) -> None:
        """Record that this replica is alive: then one that loses a lease has not died (rule 16).

        Record of others on this machine that they are dead, once their processes are gone.
        """
        entry, state = self._entry, self._state()

        def transaction(connection: Connection) -> list[Neighbour]:
            if not registry.touch(connection, entry.holder, state):  # deleted after a long absence
                registry.register(connection, entry)
                registry.mark_ready(connection, entry.holder)
                registry.touch(connection, entry.holder, state)
            return neighbours(connection)

        found = await self._context.database.write(transaction)
        self._touched, self._shown = monotonic(), state
        if dead := proven_dead(found):
            await self._context.database.write(lambda connection: registry.mark_dead(connection, dead))

    def _state(self) -> LiveReplicaState:
        return "draining" if self._draining() else "running"

    async def _record_losses(self) -> None:
        await self._context.losses.write(self._context.database)

    async def _save_progress(self) -> None:
        if unsaved := self._take_progress():
            holder = self._context.client.holder
            await self._context.database.write(lambda connection: save_progress(connection, holder, unsaved))
