"""One release by its caller's own thread or event loop."""

from collections.abc import Iterable
from functools import partial
from types import TracebackType

from .. import events, statements
from ..database.held.spare import AnySpare, SpareFailed
from ..database.held.statement import Call
from ..grant_state import GrantState
from .means import Means

_LOCK_WAIT = 0.1
"""Seconds for which it waits for a fenced transaction; for more it goes by the library's thread."""


class DirectRelease:
    """A release under way, in a block.

    Where `SpareFailed` is raised in the block, nothing is known of it, and it is asked for once more.
    Any other error leaves all to `lease.shortcut.shortcut.Shortcut.end_release`.
    """

    def __init__(self, means: Means, state: GrantState, spare: AnySpare) -> None:
        self.spare = spare
        self.call = statements.releasing(state.grant, _LOCK_WAIT)
        self._means = means
        self._state = state

    def wakes(self, answer: statements.Release) -> Iterable[Call[None]]:
        """Return the calls that wake whoever waits for it."""
        return self._means.store.wakes(self._state.grant.name, answer.waiting)

    def ended(self, answer: statements.Release) -> bool:
        """Hold it no more; return whether it had not ended before."""
        core, state = self._means.core, self._state
        core.heartbeat.forget(state)
        if core.is_closed or state.loss is not None or not answer.released:
            self._means.loop.soon(partial(core.ended, state, released=answer.released))
        self._means.tell(events.Released(state.grant, answer.released))
        return answer.released

    def __enter__(self) -> None:
        """Stand here for ``with``."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, SpareFailed):
            return False
        self._means.loan.give_back(self._state)
        if error is not None:
            self._state.ending = False
        return True
