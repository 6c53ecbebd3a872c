"""The library's own thread with an event loop of its own, so that nothing a job does stops the
heartbeat (rule 8).
"""

import asyncio
import os
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from .clock import Clock, DrivenClock, boottime
from .errors import LeaseError
from .threads import CallbackThread, LastingThreads, refuse_in_callbacks

T = TypeVar("T")

_LAST_WAIT = 1.0
"""Seconds that tasks have to end in when the loop ends."""
_THREADS = 4
"""How many blocking calls (a host's name to look up, a file to close) may be under way at once."""


class BackgroundLoop:
    """An event loop in a daemon thread. A process that forks must make its own: threads do not
    survive a fork.
    """

    def __init__(self, name: str, clock: Clock = boottime) -> None:
        self._driven = clock if isinstance(clock, DrivenClock) else None
        # Not asyncio.new_event_loop(): psycopg refuses the kind that Windows makes by default.
        self._loop: asyncio.AbstractEventLoop = (
            asyncio.SelectorEventLoop() if self._driven is None else self._driven.new_loop()
        )
        self._loop.set_default_executor(LastingThreads(_THREADS, name))
        self._pid = os.getpid()
        self._thread = CallbackThread(name, self._run)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_end_tasks(self._loop))
        finally:
            self._loop.close()

    def submit(self, work: Coroutine[Any, Any, T], patience: float | None = 0.0) -> "Future[T]":
        """Begin ``work`` in this loop. Cancelling the future cancels the work. ``patience`` is for
        clocks that a test moves (`lease.clock.DrivenClock`).
        """
        try:
            self.check()
        except LeaseError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if self._driven is not None:
            self._driven.asked(future, patience)
        return future

    def check(self) -> None:
        """Raise `LeaseError` where this loop cannot be used."""
        if os.getpid() != self._pid:
            raise LeaseError("this client was made before os.fork(); make a LeaseClient in the child process")
        if self._loop.is_closed() or not self._thread.is_alive():
            raise LeaseError("this client is closed")
        refuse_in_callbacks()

    @property
    def is_over(self) -> bool:
        """The loop has ended."""
        return self._loop.is_closed()

    def stop(self) -> None:
        """End the loop and wait for its thread."""
        if self._thread.is_alive() and os.getpid() == self._pid:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left in the loop, and wait a little for it."""
    left = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_LAST_WAIT)
