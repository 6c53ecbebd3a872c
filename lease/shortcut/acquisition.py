"""One acquisition by its caller's own thread or event loop."""

from functools import partial
from types import TracebackType

from .. import events, statements
from ..core import Ticket
from ..database.held.spare import AnySpare, NothingSentError, SpareFailed
from ..grant_state import GrantState
from ..model import Grant
from .means import Means


class DirectAcquisition:
    """An acquisition under way, in a block.

    Where `SpareFailed` is raised in the block, that ends it without a grant, as far as is known. Any
    other error leaves all to `lease.shortcut.shortcut.Shortcut.abandon`.
    """

    def __init__(self, means: Means, ticket: Ticket, spare: AnySpare) -> None:
        core = means.core
        self.spare = spare
        self.call = statements.granting(ticket.turn.name, core.holder, core.timing.ttl, label=core.label)
        self._means = means
        self._ticket = ticket
        self._sent = core.clock()

    def granted(self, grant: Grant | None) -> GrantState | None:
        """Hold what was granted; None when nothing was. `SpareFailed` says that it comes too late."""
        means, core, ticket = self._means, self._means.core, self._ticket
        if grant is None:
            means.store.awaited.add(ticket.turn.name)
            return None
        if core.clock() - self._sent >= core.timing.give_up:
            raise SpareFailed
        state = ticket.state = core.heartbeat.take(grant, self._sent)
        if core.is_closed:  # which is to release it, and perhaps has not seen it
            core.heartbeat.held.remove(state)
            ticket.state = None
            raise SpareFailed
        state.when_over(partial(core.turns.end, ticket.turn))
        if core.heartbeat.rests():
            means.loop.soon(partial(core.heartbeat.rouse, self._sent))
        means.notify(events.Granted(grant))
        return state

    def __enter__(self) -> None:
        """Stand here for ``with``."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None and not isinstance(error, SpareFailed):
            return False
        core, ticket = self._means.core, self._ticket
        if error is not None and not isinstance(error, NothingSentError):
            self._means.loop.soon(core.heartbeat.sweep)
        core.heartbeat.flights.end(ticket.flight)
        self._means.loan.give_back(ticket)
        if ticket.state is None:
            core.turns.end(ticket.turn)
        return True
