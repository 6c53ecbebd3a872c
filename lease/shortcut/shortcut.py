"""Acquiring and releasing in the caller's own thread or event loop.

Over a connection that is lent to the caller, an acquisition is the one statement with which the
library's thread would begin too; a release is one, or two where other clients wait (record 36). If
anything is in the way (another caller has that connection, another of this client has the turn, the
name is held, the database is away), the library's thread does all of it from the start.

The heartbeat goes on beside it, so that the order of steps matters here:

    an acquisition is a flight from before its statement is sent until what it was granted is held
    a grant is held before it is asked whether the heartbeat rests
    a release marks the grant before its statement is sent, so that no renewal takes it for lost

A signal can cut a thread short between any two steps. Then `Shortcut.abandon` and
`DirectRelease.end` put right in the library's thread what was begun here.
"""

from contextlib import suppress
from typing import ClassVar, cast

from ..core import Ticket
from ..database.held.spare import LoopSpare, SpareFailed, ThreadSpare
from ..errors import LeaseError
from ..grant_state import GrantState
from ..model import check_free_name
from .acquisition import DirectAcquisition
from .means import Means
from .release import DirectRelease


class Shortcut:
    """The shortcut of one client."""

    in_loops: ClassVar[bool]
    """Whether callers are in event loops, or else in threads."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def _acquisition(self, ticket: Ticket) -> DirectAcquisition | None:
        """Begin to acquire; None where something is in the way."""
        means, core = self._means, self._means.core
        means.loop.check()
        if core.is_closed or check_free_name(ticket.turn.name) in means.store.awaited:
            return None
        spare = means.loan.borrow(ticket)
        if spare is None:
            return None
        if not core.turns.take_now(ticket.turn):
            means.loan.give_back(ticket)
            return None
        core.heartbeat.flights.begin(ticket.flight)
        return DirectAcquisition(means, ticket, spare)

    def releasing(self, state: GrantState) -> DirectRelease:
        """Return the release of a grant, which has not begun."""
        return DirectRelease(self._means, state)

    # In the library's event loop

    async def abandon(self, ticket: Ticket) -> None:
        """End an acquisition whose caller was cut short, and release what it had been granted."""
        core, name = self._means.core, ticket.turn.name
        if ticket.task is None:
            core.heartbeat.sweep()  # first: a client that is being closed goes on once the loan has ended
        await self._means.loan.take_back(ticket)
        if ticket.task is None:  # the library's thread has not been asked
            if ticket.state is None and core.turns.has(ticket.turn):
                ticket.state = core.heartbeat.held.named(name)
                if ticket.state is None:
                    with suppress(LeaseError):  # the heartbeat looks for it, too, and so does a closing
                        await core.answered(lambda: self._release_stray(name))
            core.heartbeat.end_flight(ticket.flight, sure=False)
        await core.abandon(ticket)
        core.turns.end(ticket.turn)

    async def _release_stray(self, name: str) -> None:
        """Release what was granted in an answer that did not arrive."""
        core, store = self._means.core, self._means.store
        record = await store.read(name)
        grant = None if record is None else record.grant
        if grant is not None and grant.holder == core.holder and not core.heartbeat.accounts_for(grant):
            await store.release(grant)


class ThreadShortcut(Shortcut):
    """The shortcut of a sync client."""

    in_loops = False

    def acquire(self, ticket: Ticket) -> GrantState | None:
        """Acquire a name that is free; None where the library's thread is to do it."""
        acquisition = self._acquisition(ticket)
        if acquisition is not None:
            with acquisition:
                return acquisition.granted(cast("ThreadSpare", acquisition.spare).send(acquisition.call))
        return None

    def release(self, release: DirectRelease) -> bool | None:
        """Release; None where the library's thread is to do it."""
        spare = cast("ThreadSpare | None", release.begin())
        if spare is None:
            return None
        with release:
            answer = spare.send(release.call)
            if not answer.is_durable:
                release.wake_elsewhere(spare.send(release.confirming()))
                return release.ended(answer)
            try:
                for call in release.wakes(answer):
                    spare.send(call)
            except SpareFailed:
                release.wake_elsewhere(answer)
            return release.ended(answer)
        return release.ended_elsewhere()


class LoopShortcut(Shortcut):
    """The shortcut of an async client."""

    in_loops = True

    async def acquire(self, ticket: Ticket) -> GrantState | None:
        """Acquire a name that is free; None where the library's thread is to do it."""
        acquisition = self._acquisition(ticket)
        if acquisition is not None:
            with acquisition:
                return acquisition.granted(await cast("LoopSpare", acquisition.spare).send(acquisition.call))
        return None

    async def release(self, release: DirectRelease) -> bool | None:
        """Release; None where the library's thread is to do it."""
        spare = cast("LoopSpare | None", release.begin())
        if spare is None:
            return None
        with release:
            answer = await spare.send(release.call)
            if not answer.is_durable:
                release.wake_elsewhere(await spare.send(release.confirming()))
                return release.ended(answer)
            try:
                for call in release.wakes(answer):
                    await spare.send(call)
            except SpareFailed:
                release.wake_elsewhere(answer)
            return release.ended(answer)
        return release.ended_elsewhere()
