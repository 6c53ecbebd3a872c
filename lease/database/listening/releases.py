"""The listener for releases on PostgreSQL, which wakes those who wait for a lease."""

import asyncio
import logging
import threading
from contextlib import suppress
from time import monotonic

from ...threads import drop
from ...waiters import parse_release, seconds_until_turn
from ..address import describe
from ..connections import Route
from ..driver_errors import one_line
from .listener import Listener

_LINGER = 30.0
"""Seconds for which it goes on when the last has left: who waits now will soon wait again, and to
begin anew takes a connection.
"""
_UNHEARD = 1.0
"""Seconds between two looks where notifications do not arrive."""
_logger = logging.getLogger("lease")


class Subscription:
    """What one waiter hears of a name, from now on until it is closed; from any thread, for one at a time of each name."""

    def __init__(self, listener: "ReleaseListener", name: str, holder: str) -> None:
        self._listener = listener
        self._name = name
        self._holder = holder
        self._later: asyncio.TimerHandle | None = None
        self.heard = asyncio.Event()
        """Set when it may be its turn."""
        listener.subscriptions[name] = self

    async def __call__(self, seconds: float, ahead: int) -> None:
        """Wait until the turn comes; where nothing can be heard, return soon."""
        del ahead  # what is heard says whose turn it is
        if not self._listener.is_working:
            await self._listener.start(min(seconds, _UNHEARD))
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.heard.wait()
        self.heard.clear()

    def close(self) -> None:
        self._listener.unused_since = monotonic()
        drop(self._listener.subscriptions, self._name, self)

    def told(self, turns: list[str]) -> None:
        """Take in whose turn it is: each gets a while to take the lease, and then the one behind."""
        if self._later is not None:  # whoever came before has taken what was released before
            self._later.cancel()
        wait = seconds_until_turn(self._holder, turns)
        if wait is None:
            return
        if wait <= 0:
            self.heard.set()
        else:
            self._later = asyncio.get_running_loop().call_later(wait, self.heard.set)


class ReleaseListener(Listener):
    """One connection that listens to ``channel`` while there are waiters, and hears what was
    released and whose turn it is.
    """

    def __init__(self, route: Route, channel: str) -> None:
        super().__init__(route, [channel])
        self.subscriptions: dict[str, Subscription] = {}
        self.unused_since = 0.0

    def waiting(self, name: str, holder: str) -> Subscription:
        return Subscription(self, name, holder)

    def _is_needed(self) -> bool:
        return bool(self.subscriptions) or monotonic() - self.unused_since < _LINGER

    def _hear(self, channel: str, payload: str) -> None:
        del channel
        name, turns = parse_release(payload)
        if (subscription := self.subscriptions.get(name)) is not None:
            subscription.told(turns)

    def _begun(self) -> None:
        """Let all look, also who has not begun to wait by then: what was said before was missed."""
        self._lost()

    def _lost(self) -> None:
        for subscription in list(self.subscriptions.values()):
            subscription.heard.set()

    def _report(self, cause: str) -> None:
        said = (
            "cannot listen for releases in %s, so waiters poll once a second: %s",
            describe(self._route.url),
            one_line(cause, self._route.url),
        )
        # In a thread of its own: a log that nobody reads may block.
        threading.Thread(target=_logger.warning, args=said, name="lease-log", daemon=True).start()
