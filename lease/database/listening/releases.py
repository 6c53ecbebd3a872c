"""The listener for releases on PostgreSQL, which wakes those who wait for a lease."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from ...waiters import parse_release, seconds_until_turn
from ..address import describe
from ..connections import Route
from ..driver_errors import one_line
from .listener import Listener
from .question import Answered, Wording

_LINGER = 30.0
"""Seconds for which it goes on when the last has left: who waits now will soon wait again, and to
begin anew takes a connection.
"""
_logger = logging.getLogger("lease")


class Subscription:
    """What one waiter hears: `heard` is set when it may be its turn."""

    def __init__(self, name: str, holder: str) -> None:
        self.name = name
        self.holder = holder
        self.heard = asyncio.Event()
        self.on_turn: Callable[[], bool] | None = None
        """Called when its turn has come. If it returns True, it must set `heard` later."""
        self._later: asyncio.TimerHandle | None = None

    def told(self, turns: list[str]) -> None:
        """Take in whose turn it is: each gets a while to take the lease, and then the one behind."""
        self.ends()  # whoever came before has taken what was released before
        wait = seconds_until_turn(self.holder, turns)
        if wait is None:
            return
        if wait <= 0:
            if self.on_turn is None or not self.on_turn():
                self.heard.set()
        else:
            self._later = asyncio.get_running_loop().call_later(wait, self.heard.set)

    def ends(self) -> None:
        """Forget a turn that has not come yet."""
        if self._later is not None:
            self._later.cancel()
            self._later = None


class ReleaseListener(Listener):
    """One connection that listens to ``channel`` while there are waiters, and hears what was
    released and whose turn it is.
    """

    def __init__(self, route: Route, channel: str, wording: Wording | None = None) -> None:
        super().__init__(route, [channel], wording)
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._unused_since = 0.0

    @contextmanager
    def subscribed(self, name: str, holder: str) -> Iterator[Subscription]:
        """Subscribe during the block to what is said of ``holder`` and ``name``, if it works; see
        `start`.
        """
        subscription = Subscription(name, holder)
        self._subscriptions.setdefault(name, []).append(subscription)
        try:
            yield subscription
        finally:
            subscription.ends()
            self._subscriptions[name].remove(subscription)
            if not self._subscriptions[name]:
                del self._subscriptions[name]
            self._unused_since = monotonic()

    def ask(self, values: Sequence[object], answered: Answered) -> bool:
        """Ask, unless this client is acquiring another name too: the server notifies of nothing until it has answered."""
        return len(self._subscriptions) == 1 and super().ask(values, answered)

    def _is_needed(self) -> bool:
        return bool(self._subscriptions) or monotonic() - self._unused_since < _LINGER

    def _hear(self, channel: str, payload: str) -> None:
        del channel
        name, turns = parse_release(payload)
        for subscription in self._of(name):
            subscription.told(turns)

    def _begun(self) -> None:
        """Do nothing: those who wait look after `start`."""

    def _lost(self) -> None:
        for subscription in self._of(*self._subscriptions):
            subscription.heard.set()

    def _of(self, *names: str) -> list[Subscription]:
        return [subscription for name in names for subscription in self._subscriptions.get(name, ())]

    def _report(self, cause: str) -> None:
        said = (
            "cannot listen for releases in %s, so waiters poll once a second: %s",
            describe(self._route.url),
            one_line(cause, self._route.url),
        )
        # In a thread of its own: a log that nobody reads may block.
        threading.Thread(target=_logger.warning, args=said, name="lease-log", daemon=True).start()
