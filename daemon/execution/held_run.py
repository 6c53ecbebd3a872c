"""A claimed run in this replica's hands: what may be written of it, until its lease is lost (rules 9 and 10)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection

from lease.client import Lease
from lease.errors import StoreUnavailable

from .claim import ClaimedRun
from .context import ReplicaContext
from .write_result import NotOurs

T = TypeVar("T")


class HeldRun:
    """A run, the grant under which this replica has it, and the word to stop."""

    def __init__(self, around: ReplicaContext, claimed: ClaimedRun, held: Lease) -> None:
        self.around = around
        self.claimed = claimed
        self.held = held
        self.lost = asyncio.Event()
        """Set when the lease is lost."""
        self.stop = asyncio.Event()
        """Set when the job under way is to end, and the run to be handed back."""
        self.refused = 0
        """Writes that changed no row, because the grant had ended."""
        loop = asyncio.get_running_loop()
        held.on_lost(lambda _: _soon(loop, self.lost.set))

    async def saved(self, unit: Callable[[Connection], T]) -> T | None:
        """Write under the grant, again and again while the database is away; None once the lease is lost."""
        while not self.lost.is_set():
            try:
                return await self.around.database.write(unit)
            except StoreUnavailable:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.around.client.timing.retry_wait):
                        await self.lost.wait()
        return None

    def was_refused(self, answer: object) -> bool:
        """Tell of a write that changed no row, since another has taken over; True too when nothing could be written."""
        if isinstance(answer, NotOurs):
            self.refused += 1
            claimed = self.claimed
            self.around.watcher.write_refused(claimed.schedule, claimed.run_id, claimed.grant.token, answer.who)
        return answer is None or isinstance(answer, NotOurs)

    def cause(self) -> str:
        """Say why the run is in other hands, or in nobody's."""
        loss = self.held.loss
        return loss.cause if loss is not None else "its run is no longer ours"


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the replica's loop has ended
        loop.call_soon_threadsafe(call)
