"""The event loop of a client whose time is moved by hand: it tells when it has nothing left to do."""

import asyncio
import selectors
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TypeVarTuple, Unpack

from ..threads import LastingLoop

Ts = TypeVarTuple("Ts")
_Ready = list[tuple[selectors.SelectorKey, int]]


class ManualLoop(LastingLoop):
    """An event loop whose time is that of ``now``, and which stands still between two moves of it.

    Whoever moves the time then calls `wake`, and waits under ``changed`` until the loop `is_at_rest`:
    all that was due has run, and what is left waits for `due`.
    """

    def __init__(self, now: Callable[[], float], changed: threading.Condition) -> None:
        self._now = now
        self._changed = changed
        self._calls = 0
        self._heard = 0
        self._resting = False
        self.due: float | None = None
        """When the loop has something to do again; None: when it is called from outside."""
        super().__init__(_Selector(self._rest))

    def time(self) -> float:
        return self._now()

    @property
    def is_at_rest(self) -> bool:
        """All that was due has run."""
        return self.is_closed() or (self._resting and self._heard == self._calls)

    def wake(self) -> None:
        """Let the loop look at the time."""
        with suppress(RuntimeError):  # it has been closed
            self.call_soon_threadsafe(_nothing)

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        with self._changed:
            self._calls += 1
        return super().call_soon_threadsafe(self._hear, partial(callback, *args), context=context)

    def close(self) -> None:
        super().close()
        with self._changed:
            self._changed.notify_all()

    def _hear(self, callback: Callable[[], object]) -> None:
        try:
            callback()
        finally:
            with self._changed:
                self._heard += 1

    def _rest(self, seconds: float | None, wait: Callable[[], _Ready]) -> _Ready:
        """Tell that nothing is to be done for so many seconds of this loop's time, and wait."""
        with self._changed:
            self.due = None if seconds is None else self._now() + seconds
            self._resting = True
            self._changed.notify_all()
        try:
            return wait()
        finally:
            with self._changed:
                self._resting = False


class _Selector(selectors.DefaultSelector):
    """Waits for calls from outside only, not for time to pass."""

    def __init__(self, rest: Callable[[float | None, Callable[[], _Ready]], _Ready]) -> None:
        super().__init__()
        self._told = rest

    def select(self, timeout: float | None = None) -> _Ready:
        return super().select(0) if timeout == 0 else self._told(timeout, super().select)


def _nothing() -> None:
    """Do nothing."""
