"""What callers have begun, and what puts it right where a caller has gone in the midst of it.

What a caller does itself when it is cut short can be cut short as well: by a second signal, by the garbage
collector, which ends a generator in any thread, or with its event loop, once that is closed. So the
library's thread looks itself for callers that have gone. Nothing that a caller does here can be half done: an
entry is made and dropped by single steps.
"""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from .background import BackgroundLoop

_LOOK = 0.5
"""Seconds between two looks for callers that have gone, while there are any."""

PutRight = Callable[[], Coroutine[Any, Any, object]]
"""Ends what was begun, in the library's event loop; harmless where it has ended before."""


@dataclass(slots=True)
class OpenCall:
    """Something that a caller has begun."""

    put_right: PutRight
    loop: "weakref.ref[asyncio.AbstractEventLoop] | None"
    """The event loop in which the caller runs, weakly: one that was neither run nor closed to its end goes with all
    that runs in it once nobody refers to it.
    """
    is_left: bool = False
    """Its caller has left it by an error, and whoever keeps that error keeps the caller's frame."""

    @property
    def is_forsaken(self) -> bool:
        """Whether its caller has left it, or the event loop of its caller is gone or closed."""
        if self.is_left or self.loop is None:
            return self.is_left
        loop = self.loop()
        return loop is None or loop.is_closed()


class Caller:
    """Stands for one caller, who alone refers to it: it goes when the caller's frame goes. The caller also leaves it
    as a block, since an error that is kept (by a debugger, or a reporter of errors) keeps the frame.
    """

    __slots__ = ("__weakref__", "_entry", "_ledger", "reference")

    def __init__(self, ledger: "CallLedger", entry: OpenCall) -> None:
        self._ledger = ledger
        self._entry = entry
        self.reference = weakref.ref(self)

    def close(self) -> None:
        """Drop its entry: nothing is to be put right any more."""
        self._ledger.entries.pop(self.reference, None)

    def hasten(self) -> "Future[object]":
        """Have it put right now: the ledger sees to it as well, but that takes longer."""
        return self._ledger.loop.submit(self._entry.put_right)

    def let_go(self) -> None:
        """Do the same from any thread, without an answer to wait for."""
        self._ledger.loop.begin(self._entry.put_right)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._entry.is_left = True


class CallLedger:
    """The entries of one client, by their callers."""

    def __init__(self, loop: BackgroundLoop, *, looks: bool) -> None:
        """``looks``: for callers that have gone. Where a test moves the time, nothing is done by itself."""
        self.loop = loop
        self.entries: dict[weakref.ref[Caller], OpenCall] = {}
        self._is_watched = not looks

    # From any thread

    def open(self, put_right: PutRight, loop: asyncio.AbstractEventLoop | None = None) -> Caller:
        """Make an entry, before anything is begun, and return what stands for the caller, in its frame alone: when that
        has gone, or ``loop`` is closed, the library's thread does ``put_right``, unless the caller was closed before.
        """
        self.loop.check()
        entry = OpenCall(put_right, None if loop is None else weakref.ref(loop))
        caller = Caller(self, entry)
        self.entries[caller.reference] = entry
        if not self._is_watched:
            self.loop.soon(self._watch)
        return caller

    # In the library's event loop

    def _watch(self) -> None:
        if not self._is_watched:
            self._look()

    def _look(self) -> None:
        """Put right what callers left who have gone, and look again in time; until there are no entries."""
        self._is_watched = False  # before it looks: who makes an entry after that sees to it
        for reference, entry in list(self.entries.items()):
            is_gone = reference() is None or entry.is_forsaken
            if is_gone and self.entries.pop(reference, None) is not None:  # its caller may have dropped it just now
                self.loop.begin(entry.put_right)
        if self.entries:
            self._is_watched = True
            asyncio.get_running_loop().call_later(_LOOK, self._look)
