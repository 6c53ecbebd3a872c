"""The clock that a test moves, and with it the time of the clients that have it."""

import asyncio
import threading
from concurrent.futures import Future, wait
from typing import Any

from ..durations import Duration, format_duration, parse_duration
from .loop import ManualLoop

_REAL = 30.0
"""Real seconds in which a client must have done all that was due."""
_MOST = 3 * 3600.0
"""Seconds by which a call moves the clock at most while it waits for its answer."""


class ManualClock:
    """A clock that moves only when a test moves it; call it to get the time in seconds.

    A client with this clock uses no real time: its renewals, waits and losses happen when the test moves
    the clock, and `advance` returns when all that was due has happened.

    In two cases the clock moves by itself, because the call could never end otherwise: for a call without
    a wait (such as a retry while the store is unavailable), and for an acquisition that waits in the
    thread that made the clock, unless an event loop runs there.
    """

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._owner = threading.get_ident()
        self._loops: list[ManualLoop] = []
        self._changed = threading.Condition()
        self._moving = threading.RLock()

    def __call__(self) -> float:
        return self._now

    def advance(self, duration: Duration) -> None:
        """Move the clock forward, and let everything happen that is due until then, in order."""
        with self._moving:
            self._settle()
            target = self._now + parse_duration(duration)
            while (due := self._next_due()) is not None and due <= target:
                self._move_to(due)
            self._move_to(target)

    def jump(self, duration: Duration) -> None:
        """Move the clock forward in one step, as in a process that was stopped for that long."""
        with self._moving:
            self._settle()
            self._move_to(self._now + parse_duration(duration))

    # What a client asks of it (`lease.clock.DrivenClock`)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop that uses this clock."""
        loop = ManualLoop(self, self._changed)
        self._loops = [one for one in self._loops if not one.is_closed()] + [loop]
        return loop

    def asked(self, future: "Future[Any]", patience: float | None) -> None:
        """Let time pass until ``future`` is done, where nobody else could: at once, or after
        ``patience`` in real seconds; with None only in the thread of the test itself.
        """
        if patience is None and (threading.get_ident() != self._owner or _in_event_loop()):
            return
        if patience:
            threading.Thread(target=self._pass_after, args=(future, patience), daemon=True).start()
        else:
            self._pass(future)

    def _pass_after(self, future: "Future[Any]", patience: float) -> None:
        wait([future], timeout=patience)
        self._pass(future)

    def _pass(self, future: "Future[Any]") -> None:
        with self._moving:
            self._settle()
            begun = self._now
            while not future.done() and (due := self._next_due()) is not None:
                if due - begun > _MOST:
                    future.cancel()
                    raise AssertionError(
                        f"the manual clock has moved by {format_duration(_MOST)}, and this call still waits: "
                        "nobody in the test ends what it waits for"
                    )
                self._move_to(due)

    def _next_due(self) -> float | None:
        due = [loop.due for loop in self._loops if not loop.is_closed() and loop.due is not None]
        return min(due, default=None)

    def _move_to(self, moment: float) -> None:
        self._now = max(self._now, moment)
        for loop in self._loops:
            loop.wake()
        self._settle()

    def _settle(self) -> None:
        """Wait until all that is due has happened."""
        with self._changed:
            if not self._changed.wait_for(lambda: all(loop.is_at_rest for loop in self._loops), _REAL):
                raise AssertionError(
                    f"a client is still busy after {_REAL:g} real seconds: does a callback wait in its thread?"
                )


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
