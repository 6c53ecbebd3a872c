"""The release of one grant by its caller, and the transactions that it would wait for.

Over a connection that is lent to the caller it is one statement, and one more where other clients wait. If
anything is in the way, the library's thread does it.

The grant is marked before the statement is sent, so that no renewal which goes on beside it takes it for lost.
"""

import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from .. import events, statements
from ..database.foreign import is_in_transaction
from ..database.wires import Wire, WireFailed
from ..errors import LeaseError, StoreUnavailable
from ..grant_state import GrantState
from ..model import Grant
from ..threads import caller
from .steps import Direct, Elsewhere, Means, OutOfPatience, RefusedWith, Sending, Steps

_LOCK_WAIT = 0.1
"""Seconds for which it waits for a fenced transaction; for more it goes by the library's thread."""
PATIENCE = 0.5
"""Seconds after which a release that may wait for its own thread's transaction is told to do so. It
may be another one on the same connection, which is not fenced; then the release is done by then.
"""


class FencedTransaction:
    """A transaction that a lease has fenced. A release waits for it, and one that the releasing thread or task itself has
    open cannot end while that waits, as where `hold` stands inside ``engine.begin()``.

    Its connection is remembered weakly.
    """

    def __init__(self, connection: Any) -> None:
        self.connection: weakref.ref[Any] = weakref.ref(connection)
        self._caller = caller()

    def is_open_here(self) -> bool:
        """Return whether it is open still, and was fenced by this thread, or task."""
        connection = self.connection()
        return self._caller == caller() and connection is not None and is_in_transaction(connection)


def held_up(grant: Grant) -> LeaseError:
    """Return the error for a release that waits for the transaction around it."""
    return LeaseError(
        f"lease {grant.name!r} (token {grant.token}) cannot be released yet: a transaction that it fenced is still open "
        "here, around its block. It is released when that ends; begin the transaction inside the block, and end it there"
    )


class ReleaseUnderWay:
    """A release by its caller; what borrows the connection is this."""

    def __init__(self, means: Means, state: GrantState, fenced: Sequence[FencedTransaction]) -> None:
        self._means = means
        self._fenced = fenced
        self._state = state
        self.owner = caller()
        self._failure: StoreUnavailable | None = None

    def steps(self) -> Steps[bool | LeaseError]:
        """Release it; return whether it had not ended before."""
        means, direct = self._means, self._means.direct
        may_wait_for_itself = any(map(FencedTransaction.is_open_here, self._fenced))
        if direct is not None and not may_wait_for_itself and not self._is_in_the_way():
            wire = yield from direct.pool.borrow(self, first=True)
            ended = None if wire is None else (yield from self._release_here(direct, wire))
            if ended is not None:
                return ended
        ending = means.loop.submit(lambda: means.core.release(self._state))
        try:
            released: bool = yield Elsewhere(ending, PATIENCE if may_wait_for_itself else None)
        except OutOfPatience:
            ending.add_done_callback(self._tell_failure)
            return held_up(self._state.grant)
        return released

    def steps_at_the_end_of_a_block(self) -> Steps[bool]:
        """The same; a refusal becomes an event, as what the block did matters more. The grant ends by its ttl then."""
        try:
            answer = yield from self.steps()
        except RefusedWith as refused:
            answer = refused.error
        if not isinstance(answer, LeaseError):
            return answer
        if self._state.loss is None:  # of a lost one, its closing client has told already
            self._means.core.notify(events.ReleaseFailed(self._state.grant, str(answer)))
        return False

    def _is_in_the_way(self) -> bool:
        state = self._state
        return self._means.core.is_closed or state.loss is not None or state.over or state.ending

    def _release_here(self, direct: Direct, wire: Wire) -> Steps[bool | LeaseError | None]:
        """Release it over the connection; None where the library's thread is to do it (once more), as something is in
        the way, or nothing is known of it.
        """
        state = self._state
        if self._is_in_the_way() or not state.claim_release():
            direct.pool.give_back(self)
            return None
        state.ending = True
        try:
            answer: statements.Release = yield Sending(wire, statements.releasing(state.grant, _LOCK_WAIT))
            if answer.waiting:
                yield from self._wake(direct, wire, answer)
        except WireFailed:
            direct.pool.give_back(self)
            return self._failure or (True if state.over else None)  # it was overdue, and the library's thread has tried
        core, released = self._means.core, answer.released
        if state.over:  # the same
            released = released or self._failure is None
        else:
            core.heartbeat.forget(state)
            if core.is_closed or state.loss is not None or not released:
                self._means.loop.begin(partial(core.ended, state, released=released))
            self._means.notify(events.Released(state.grant, released))
        direct.pool.give_back(self)
        return released

    def _wake(self, direct: Direct, wire: Wire, answer: statements.Release) -> Steps[None]:
        try:
            for call in direct.store.wakes(self._state.grant.name, answer.waiting):
                yield Sending(wire, call)
        except WireFailed:
            self._means.loop.begin(partial(direct.store.wake, self._state.grant.name, answer.waiting))

    def _tell_failure(self, ending: "Future[bool]") -> None:
        error = None if ending.cancelled() else ending.exception()
        if error is not None:
            self._means.core.notify(events.ReleaseFailed(self._state.grant, str(error)))

    # In the library's event loop

    def is_overdue(self) -> None:
        """Have the library's thread do it: its caller's event loop may be blocked for long (rule 8)."""
        self._means.loop.begin(self._finish)

    async def put_right(self) -> None:
        """End it, where its caller was cut short."""
        try:
            if self._means.direct is not None:
                await self._means.direct.pool.take_back(self)
            await self._finish()
        finally:
            del self  # see `_finish`

    async def _finish(self) -> None:
        """Release it, and wake whoever waits, as nobody may have heard that it had been released."""
        core, state, direct = self._means.core, self._state, self._means.direct
        if state.over:
            core.forget(state)  # it may have been cut short in that
        elif not state.is_being_ended:
            try:
                await core.release(state)
            except StoreUnavailable as error:
                self._failure = error
                del self  # the error keeps this frame, and must not be kept by it
                raise
        if direct is not None:
            await direct.store.wake_if_free(state.grant.name)
