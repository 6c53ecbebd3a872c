"""One release by its caller's own thread or event loop."""

from functools import partial
from types import TracebackType

from .. import events, statements
from ..database.held.spare import AnySpare, SpareFailed
from ..database.held.statement import Call
from ..errors import StoreUnavailable
from ..grant_state import GrantState
from .means import Means

_LOCK_WAIT = 0.1
"""Seconds for which it waits for a fenced transaction, or for another commit that notifies; for more it goes by the
library's thread.
"""


class DirectRelease:
    """A release, in a block once it has begun; what borrows the connection is this.

    Where `SpareFailed` is raised in the block, it is asked for once more: nothing is known of it, or only
    that it is handed over.
    Any other error leaves all to `end`.
    """

    def __init__(self, means: Means, state: GrantState) -> None:
        self.call = means.store.handing_over(state.grant, _LOCK_WAIT)
        self._means = means
        self.state = state
        self.is_handed_over = False
        """The database has said that it has ended, and may not have that on disk."""
        self._failure: StoreUnavailable | None = None

    def begin(self) -> AnySpare | None:
        """Begin; None where something is in the way."""
        means, state = self._means, self.state
        means.loop.check()
        if means.core.is_closed or state.loss is not None or state.over or state.ending:
            return None
        spare = means.loan.borrow(self)
        if spare is None:
            return None
        if not state.claim_release():
            means.loan.give_back(self)
            return None
        state.ending = True
        return spare

    def wakes(self, answer: statements.Release) -> list[Call[None]]:
        """Return the calls that wake whoever waits for it."""
        return self._means.store.wakes(self.state.grant.name, answer.waiting)

    def wake_elsewhere(self, answer: statements.Release) -> None:
        """Have whoever waits for it woken by the library's thread."""
        if answer.waiting:
            self._means.loop.begin(partial(self._means.store.wake, self.state.grant.name, answer.waiting))

    def confirming(self) -> Call[statements.Release]:
        """Note that it is handed over, and return the call that waits until that is on disk. Where it fails, the
        library's thread does the same (`lease.core.Core.release`), and the caller waits for that.
        """
        self.is_handed_over = True
        return self._means.store.confirming(self.state.grant, _LOCK_WAIT)

    def ended(self, answer: statements.Release) -> bool:
        """Hold it no more; return whether it had not ended before."""
        core, state = self._means.core, self.state
        if state.over:  # it was overdue, and the library's thread has seen to it
            return answer.released or self._failure is None
        core.heartbeat.forget(state)
        if core.is_closed or state.loss is not None or not answer.released:
            self._means.loop.begin(partial(core.ended, state, released=answer.released))
        self._means.notify(events.Released(state.grant, answer.released))
        return answer.released

    def ended_elsewhere(self) -> bool | None:
        """Return True where it was overdue and the library's thread has done it, None where that is still to do.
        Raises what that has raised.
        """
        if self._failure is not None:
            raise self._failure
        return True if self.state.over else None

    def is_overdue(self) -> None:
        """Have the library's thread do it: its caller's event loop may be blocked for long (rule 8)."""
        self._means.loop.begin(self._finish)

    async def end(self) -> None:
        """End it in the library's event loop, where its caller was cut short."""
        await self._means.loan.take_back(self)
        await self._finish()

    async def _finish(self) -> None:
        """Release it, and wake whoever waits, as nobody may have heard that it had been released."""
        means, state = self._means, self.state
        if state.over:
            means.core.forget(state)  # it may have been cut short in that
        elif not state.is_being_ended:
            try:
                await means.core.release(state, handed_over=self.is_handed_over)
            except StoreUnavailable as error:
                self._failure = error
                raise
        record = await means.store.read(state.grant.name)
        if record is not None and record.holder is None:
            await means.store.wake(record.name, record.waiting)

    def __enter__(self) -> None:
        """Stand here for ``with``."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, SpareFailed):
            return False
        self._means.loan.give_back(self)
        return True
