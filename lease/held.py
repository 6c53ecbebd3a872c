"""A lease as programs with an event loop hold it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from .cancellation import answer, done
from .errors import LeaseError
from .fences.fenced import PATIENCE
from .handle import Handle
from .shortcut.shortcut import LoopShortcut


class Lease(Handle):
    """A lease that this client holds, or held; `lease.handle.Handle` has what can be read of it."""

    async def release(self) -> bool:
        """End the grant; False when it had ended before. Goes on where the caller is cancelled.

        Raises `StoreUnavailable` when the database is away; then the grant ends by its ttl. Raises
        `LeaseError` where it waits for a fenced transaction that this task has open; then the grant
        ends with that.
        """
        if (ended := await self._release_here()) is not None:
            return ended
        ending, may_wait_for_itself = self._releasing()
        if may_wait_for_itself:
            with suppress(TimeoutError):
                return await asyncio.wait_for(done(ending), PATIENCE)
            raise self._held_up(ending)
        return await done(ending)

    async def _release_here(self) -> bool | None:
        """Release it in this event loop; None where something is in the way."""
        shortcut: LoopShortcut | None = self._runtime.shortcut
        state = self._known
        if shortcut is None or self._fenced.may_wait_for_itself():
            return None
        try:
            return await shortcut.release(state)
        except LeaseError:
            raise
        except BaseException:
            with suppress(LeaseError):  # a closed client releases it
                self._runtime.submit(lambda _: shortcut.end_release(state))
            raise

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        """Let a program release the grant in a transaction of its own (`lease.statements.release`),
        in this block.

        Meanwhile no answer to a renewal counts as a loss. After the block the grant is no longer
        renewed, unless the block raises.
        """
        with self._state.being_ended():
            yield
            await answer(self._runtime.call(lambda core: core.forget(self._state)))
