"""The wait for one's turn on SQLite, which announces nothing: a look now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ..model import LeaseRecord
from ..store import Bid, Wait
from ..waiters import ahead_of, may_take

_LOOK = 0.01
"""Seconds between two looks of the first waiter; the second looks half as often, and so on."""


class TurnPoller:
    """Looks, with ``read``, whose turn it is."""

    def __init__(self, read: Callable[[str], Awaitable[LeaseRecord | None]]) -> None:
        self._read = read

    @contextmanager
    def waiting(self, bid: Bid) -> Iterator[Wait]:
        """See `lease.store.Store.waiting`."""
        yield partial(self._look, bid)

    async def close(self) -> None:
        """Do nothing: it has no connection of its own."""

    async def _look(self, bid: Bid, seconds: float, ahead: int) -> None:
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while (left := deadline - now()) > 0:
            await asyncio.sleep(min(left, _LOOK * (ahead + 1)))
            record = await self._read(bid.name)
            if record is None or is_turn_of(bid.holder, record):
                return
            ahead = ahead_of(bid.holder, record.waiting)


def is_turn_of(holder: str, record: LeaseRecord) -> bool:
    """Return whether ``holder`` may take the lease now."""
    return not record.live and may_take(ahead_of(holder, record.waiting), record.free_for)
