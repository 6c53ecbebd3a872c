"""The loan of a client's wire, to one caller at a time.

There is no lock here, for the reason that `lease.acquisition.turns` gives.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Protocol, runtime_checkable

from ..background import BackgroundLoop
from ..database.held.wire import Wire

_REST = 10.0
"""Seconds for which none is made after one could not be made."""
_LOOKS = 4
"""How often it is looked, in the time that an attempt may take, whether one takes longer."""
_AFTER_THE_CUT = 1.0
"""Seconds that a borrower has to notice that it was cut off, where the client is being closed."""
_IT = "the wire"

Borrower = object
"""What stands for one use of it; equal to itself alone."""


@runtime_checkable
class Overdue(Protocol):
    """A borrower that is told, in the library's event loop, that it was cut off."""

    def is_overdue(self) -> None:
        """See to it that what it was about is done."""
        ...


class Loan:
    """A wire, which a caller borrows for one statement, or two.

    Any thread may borrow it and give it back, and be cut short in either by a signal: `take_back` is
    for what was left then. The rest runs in the library's event loop, so that a connection is closed
    nowhere else.
    """

    def __init__(self, loop: BackgroundLoop, connect: Callable[[], Awaitable[Wire | None]], timeout: float) -> None:
        self._loop = loop
        self._connect = connect
        self._timeout = timeout
        self._wire: Wire | None = None
        self._borrowers: dict[str, Borrower] = {}
        self._seen: Borrower | None = None
        self._due = 0.0
        self._rests_until = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._watched = False
        self._is_over = False
        self._given_back = asyncio.Event()
        self._closing: set[asyncio.Future[None]] = set()

    # From any thread

    @property
    def is_missing(self) -> bool:
        """Whether there is none, and it is time to `connect`."""
        return self._wire is None and not self._is_over and monotonic() >= self._rests_until

    def borrow(self, by: Borrower) -> Wire | None:
        """Lend it to ``by``; None where there is none, or another has it."""
        if self._at_hand() is None or self._borrowers.setdefault(_IT, by) is not by:
            return None
        wire = self._at_hand()
        if wire is None:  # it was closed just then
            self.give_back(by)
        elif not self._watched:
            self._loop.soon(self._watch)
        return wire

    def _at_hand(self) -> Wire | None:
        return None if self._is_over else self._wire

    def is_lent_to(self, by: Borrower) -> bool:
        """Return whether ``by`` has it, and it was not taken back."""
        return self._borrowers.get(_IT) is by

    def give_back(self, by: Borrower) -> None:
        """End the loan to ``by``, if it has not been taken back."""
        if not self.is_lent_to(by):
            return
        wire = self._wire
        if wire is None or (wire.is_well and not self._is_over):
            self._borrowers.pop(_IT, None)
        elif not self._loop.soon(partial(self._take, by)):
            wire.close(0.0)  # the client has been closed without it

    # In the library's event loop

    async def take_back(self, by: Borrower) -> None:
        """End the loan to ``by``, who was cut short. What it had sent is done when this returns, or the
        database was away.
        """
        closing = self._take(by)
        if closing is not None:
            with suppress(OSError):  # no thread could be started for it
                await closing

    def _take(self, by: Borrower) -> "asyncio.Future[None] | None":
        """End the loan to ``by``, and begin to close what it had."""
        if not self.is_lent_to(by):
            return None
        wire, self._wire = self._wire, None  # first, so that the next to borrow finds none
        self._borrowers.pop(_IT, None)
        self._given_back.set()
        return None if wire is None else self._close(wire)

    async def end(self) -> bool:
        """Lend it no more, and wait for whoever has it, at most as long as an attempt may take; False where
        what that one has sent may still happen.
        """
        self._is_over = True
        self._given_back.clear()
        if self._connecting is not None:
            await asyncio.wait({self._connecting}, timeout=self._timeout)
        if self._borrowers and not await self._is_given_back(self._timeout):
            if self._wire is not None:
                self._wire.cut()  # and no more: its borrower may be in the midst of using it
            if not await self._is_given_back(_AFTER_THE_CUT):
                return False
        if self._wire is not None:
            wire, self._wire = self._wire, None
            self._close(wire)
        if self._closing:  # also what was taken back: what its borrower had sent may be under way
            await asyncio.wait(set(self._closing))
        return True

    async def _is_given_back(self, seconds: float) -> bool:
        """Wait at most so many seconds for whoever has it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._borrowers:
                    await self._given_back.wait()
                    self._given_back.clear()
        return not self._borrowers

    async def connect(self) -> None:
        """Make it, for whoever finds none; return also where none can be made."""
        if self._connecting is None and self.is_missing:
            self._connecting = asyncio.get_running_loop().create_task(self._connect_once())
        if self._connecting is not None:
            await asyncio.wait({self._connecting})

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):  # no longer than one attempt: its caller waits for it
                wire = await self._connect()
            if wire is None:  # there is none to be had
                self._is_over = True
            elif self._is_over:
                await self._close(wire)
            else:
                self._wire = wire
        except Exception:  # noqa: BLE001 - it is not needed
            self._rests_until = monotonic() + _REST
        finally:
            self._connecting = None

    def _watch(self) -> None:
        if not self._watched:
            self._look()

    def _look(self) -> None:
        """Cut what takes too long, and look again in time; until nobody has it."""
        self._watched = False  # before it looks: who borrows it after that sees to it
        borrower, now = self._borrowers.get(_IT), monotonic()
        if borrower is None:
            self._seen = None
            return
        self._watched = True
        if borrower is not self._seen:
            self._seen, self._due = borrower, now + self._timeout
        elif now >= self._due and self._wire is not None:
            self._wire.cut()
            self._due = now + self._timeout
            if isinstance(borrower, Overdue):
                borrower.is_overdue()
        asyncio.get_running_loop().call_later(self._timeout / _LOOKS, self._look)

    def _close(self, wire: Wire) -> "asyncio.Future[None]":
        closing = asyncio.get_running_loop().run_in_executor(None, wire.close, self._timeout)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        # asyncio would log an error that nobody asked for.
        closing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return closing
