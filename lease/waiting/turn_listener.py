"""The wait for one's turn on PostgreSQL, which announces it; the lease is asked for at that very moment."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from .. import statements
from ..database.connections import Route, engine_for_libpq
from ..database.held.statement import Rows
from ..database.listening.question import Wording
from ..database.listening.releases import ReleaseListener, Subscription
from ..errors import StoreUnavailable
from ..model import Grant, LeaseRecord
from ..store import Asked, Bid, Wait

_UNHEARD = 1.0
"""Seconds between two looks where notifications do not arrive."""
_LOCK_WAIT = 0.1
"""Seconds that a question waits for a row that another has locked; nothing is heard meanwhile."""


class TurnListener:
    """Hears whose turn it is. ``timeout``: the seconds that an answer may take (rule 3)."""

    def __init__(self, route: Route, timeout: float) -> None:
        engine = engine_for_libpq(route.url)
        self._taking = statements.taking("", "", 0.0, label=None, lock_wait=0.0).statement.compiled(engine)
        self._listener = ReleaseListener(route, statements.CHANNEL, Wording(self._taking.text, timeout))

    @contextmanager
    def waiting(self, bid: Bid) -> Iterator[Wait]:
        """See `lease.store.Store.waiting`."""
        with self._listener.subscribed(bid.name, bid.holder) as subscription:
            yield partial(self._hear, bid, subscription)

    async def close(self) -> None:
        """Stop listening."""
        await self._listener.close()

    async def _hear(self, bid: Bid, subscription: Subscription, seconds: float, ahead: int) -> None:
        """Wait until the turn comes; where nothing can be heard, return soon."""
        del ahead  # what is heard says whose turn it is
        if not self._listener.is_working:
            await self._listener.start(min(seconds, _UNHEARD))
            return  # what was said meanwhile was missed: look
        subscription.on_turn = self._asking(bid, subscription.heard)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await subscription.heard.wait()
        finally:
            subscription.on_turn = None
            subscription.heard.clear()

    def _asking(self, bid: Bid, heard: asyncio.Event) -> Callable[[], bool]:
        """Return a function that asks for the lease, once, and sets ``heard`` when the answer is there."""
        call = statements.taking(bid.name, bid.holder, bid.ttl, label=bid.label, lock_wait=_LOCK_WAIT)
        values = self._taking.parameters(call.values)
        answer: asyncio.Future[Grant | LeaseRecord | None] = asyncio.get_running_loop().create_future()

        def ask() -> bool:
            sent = bid.clock()
            if bid.asked is None and self._listener.ask(values, answered):
                bid.asked = Asked(sent, answer)
            return bid.asked is not None

        def answered(rows: Rows | None) -> None:
            if rows is None:
                answer.set_exception(StoreUnavailable("the connection that listens ended before this was answered"))
                answer.exception()  # mark it retrieved, or asyncio logs it
            else:
                answer.set_result(call.answer(rows))
            heard.set()

        return ask
