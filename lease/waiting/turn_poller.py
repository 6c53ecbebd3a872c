"""The wait for one's turn on SQLite, which announces nothing: a look now and then, at many names in one read."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice

from ..model import LeaseRecord
from ..store import Bid, Wait
from ..waiters import ahead_of, may_take

_LOOK = 0.01
"""Seconds between two looks of the first waiter; the second looks half as often, and so on."""
_AT_ONCE = 500
"""How many names are read at one time; the heartbeat runs in the same event loop."""
_REST = 3
"""How many times as long as a read took no other begins: thousands who wait leave time to all else."""


@dataclass(slots=True, eq=False)
class _Looker:
    """One who waits, and when it is looked at next."""

    bid: Bid
    turn: "asyncio.Future[None]"
    timer: asyncio.TimerHandle | None = None


class TurnPoller:
    """Looks, with ``read``, whose turn it is. Thousands may wait, each for another name: what is due is read together."""

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, LeaseRecord]]]) -> None:
        self._read = read
        self._due: dict[_Looker, None] = {}
        self._reading: asyncio.Task[None] | None = None

    @contextmanager
    def waiting(self, bid: Bid) -> Iterator[Wait]:
        """See `lease.store.Store.waiting`."""
        yield partial(self._wait, bid)

    async def close(self) -> None:
        """Stop looking."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _wait(self, bid: Bid, seconds: float, ahead: int) -> None:
        look = _Looker(bid, asyncio.get_running_loop().create_future())
        self._look_later(look, ahead)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await look.turn
        finally:
            self._due.pop(look, None)
            if look.timer is not None:
                look.timer.cancel()

    def _look_later(self, look: _Looker, ahead: int) -> None:
        look.timer = asyncio.get_running_loop().call_later(_LOOK * (ahead + 1), self._is_due, look)

    def _is_due(self, look: _Looker) -> None:
        self._due[look] = None
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_due())

    async def _read_due(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while looks := list(islice(self._due, _AT_ONCE)):
                for look in looks:
                    del self._due[look]
                began = now()
                await self._look_at(looks)
                await asyncio.sleep(_REST * (now() - began))
        finally:
            self._reading = None

    async def _look_at(self, looks: Sequence[_Looker]) -> None:
        found: Mapping[str, LeaseRecord] = {}
        with suppress(Exception):  # the next attempt of each finds out
            found = await self._read([look.bid.name for look in looks])
        for look in looks:
            if look.turn.done():  # it waits no more
                continue
            record = found.get(look.bid.name)
            if record is None or is_turn_of(look.bid.holder, record):
                look.turn.set_result(None)
            else:
                self._look_later(look, ahead_of(look.bid.holder, record.waiting))


def is_turn_of(holder: str, record: LeaseRecord) -> bool:
    """Return whether ``holder`` may take the lease now."""
    return not record.live and may_take(ahead_of(holder, record.waiting), record.free_for)
