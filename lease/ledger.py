"""What callers have begun, and what puts it right where a caller has gone in the midst of it.

What a caller does itself when it is cut short can be cut short as well: by a second signal, by the garbage
collector, which ends a generator in any thread, or with its event loop, once that is closed. So the
library's thread looks itself for callers that have gone. Nothing that a caller does here can be half done: an
entry is made, settled and dropped by single steps.
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
    is_settled: bool = False
    """Nothing is to be put right any more. Set by an assignment alone, in whose midst no signal comes."""
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

    __slots__ = ("__weakref__", "_library", "entry", "reference")

    def __init__(self, entry: OpenCall, library: BackgroundLoop) -> None:
        self.entry = entry
        self._library = library
        self.reference = weakref.ref(self)

    def hasten(self) -> "Future[object]":
        """Have it put right now: the ledger sees to it as well, but that takes longer."""
        return self._library.submit(self.entry.put_right)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.entry.is_left = True


class CallLedger:
    """The entries of one client."""

    def __init__(self, loop: BackgroundLoop) -> None:
        self._loop = loop
        self._entries: dict[weakref.ref[Caller], OpenCall] = {}
        self._is_watched = False

    # From any thread

    def open(self, put_right: PutRight, loop: asyncio.AbstractEventLoop | None) -> Caller:
        """Make an entry, before anything is begun; ``put_right`` is called once its caller has gone."""
        caller = Caller(OpenCall(put_right, None if loop is None else weakref.ref(loop)), self._loop)
        self._entries[caller.reference] = caller.entry
        if not self._is_watched:
            self._loop.soon(self._watch)
        return caller

    def close(self, caller: Caller) -> None:
        """Drop its entry: nothing is to be put right."""
        self._entries.pop(caller.reference, None)

    # In the library's event loop

    def _watch(self) -> None:
        if not self._is_watched:
            self._look()

    def _look(self) -> None:
        """Put right what callers left who have gone, and look again in time; until there are no entries."""
        self._is_watched = False  # before it looks: who makes an entry after that sees to it
        for reference, entry in list(self._entries.items()):
            if reference() is None or entry.is_settled or entry.is_forsaken:
                self._entries.pop(reference, None)  # its caller may have dropped it just now
                if not entry.is_settled:
                    self._loop.begin(entry.put_right)
        if self._entries:
            self._is_watched = True
            asyncio.get_running_loop().call_later(_LOOK, self._look)
