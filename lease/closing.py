"""The closing of a client: what it holds is lost first, then its work told and stopped, and only then
released (rule 6).
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar

from . import events
from .errors import SchemaMissing, StoreUnavailable
from .grant_state import GrantState
from .heartbeat.heartbeat import Heartbeat
from .model import Grant
from .retrying import retried
from .store import Store
from .timing import LeaseTiming

_AT_ONCE = 4
"""How many releases are under way at one time."""
_MOST_BESIDES = 10_000
_WORKING = "the client was closed, and its work may still be running; the lease ends with its ttl"
_AWAY = "the client was closed, and the database did not confirm the release in time"

_held_here: ContextVar[tuple[GrantState, ...]] = ContextVar("lease_held_here", default=())


def note_holder(state: GrantState) -> None:
    """Record that it was acquired here, in this thread or task, for work that is done here."""
    held = _held_here.get()
    if len(held) & (len(held) - 1) == 0:  # only then, so that a thousand leases cost a thousand looks
        held = tuple(one for one in held if not one.over)
    _held_here.set((*held, state))


def held_here() -> frozenset[GrantState]:
    """Return what was acquired here, or in the tasks that this one was started by. Its work waits for
    a closing that is asked for here, and could not end before.
    """
    return frozenset(_held_here.get())


class Closing:
    """The end of all that one client holds."""

    def __init__(
        self, heartbeat: Heartbeat, store: Store, holder: str, timing: LeaseTiming, notify: events.Listener
    ) -> None:
        self._holder = holder
        self._heartbeat = heartbeat
        self._store = store
        self._timing = timing
        self._notify = notify
        self._working: set[GrantState] = set()
        self._awaited: set[GrantState] = set()
        self._excused: set[GrantState] = set()
        self._quiet = asyncio.Event()

    def ended(self, state: GrantState) -> None:
        """Record that the work under it has ended: its block was left, or its holder released it."""
        self._working.discard(state)
        self._awaited.discard(state)
        if not self._awaited:
            self._quiet.set()

    def excuse(self, waiting: Iterable[GrantState]) -> None:
        """Wait for none of the work under these: it waits for this. A release that is under way does
        not.
        """
        self._excused.update(waiting)
        self._awaited = {state for state in self._awaited if state.ending or state not in self._excused}
        if not self._awaited:
            self._quiet.set()

    async def run(self) -> None:
        """Lose all that is held, wait at most `kill_time` for the work, and release what has ended.

        What is not known to have ended is left to its ttl.
        """
        held = self._heartbeat.held.all()
        self._working, self._awaited = set(held), set(held)
        self._quiet.clear()
        in_doubt = self._heartbeat.in_doubt
        self._heartbeat.lose_all()
        self.excuse(())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.kill_time):
                await self._quiet.wait()
        self._heartbeat.lose_all(also_ending=True)
        for state in self._working:
            self._notify(events.ReleaseFailed(state.grant, _WORKING))
        ended = [state.grant for state in held if state not in self._working and not state.over]
        await self._release(ended, in_doubt=in_doubt)

    async def _release(self, ended: Iterable[Grant], *, in_doubt: bool) -> None:
        """Release these, and what nobody was told of, for as long as trust could have lasted."""
        left = set(ended)
        error = _AWAY
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timing.give_up):
                    if left or in_doubt:
                        await self._release_together(left)
                    await self._release_each(left)
        except (StoreUnavailable, SchemaMissing) as failed:
            error = str(failed)
        finally:  # also where closing is cut short
            for grant in sorted(left):
                self._notify(events.ReleaseFailed(grant, error))

    async def _release_together(self, left: set[Grant]) -> None:
        """Release all that is not locked, besides that under which work may still go on."""
        working = [state.grant for state in self._working]
        besides = {grant.name for grant in (*working, *self._heartbeat.lingering.grants) if grant not in left}
        if len(besides) > _MOST_BESIDES:
            return  # a statement has no room for more
        while ended := await retried(lambda: self._store.release_all(self._holder, besides), self._timing):
            for grant in ended:
                self._notify(events.Released(grant, True) if grant in left else events.OrphanReleased(grant))
                left.discard(grant)

    async def _release_each(self, left: set[Grant]) -> None:
        """Release one by one what a transaction has locked, or was released before its reply was lost."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def release(grant: Grant) -> None:
            async with places:
                try:
                    released = await retried(lambda: self._store.release(grant), self._timing)
                except (StoreUnavailable, SchemaMissing) as error:
                    self._notify(events.ReleaseFailed(grant, str(error)))
                else:
                    self._notify(events.Released(grant, released))
                left.discard(grant)

        async with asyncio.TaskGroup() as tasks:
            for grant in sorted(left):
                tasks.create_task(release(grant))
