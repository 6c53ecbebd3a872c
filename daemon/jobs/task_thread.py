"""The event loop of async jobs, on a thread of its own (rule 8).

A job that blocks it holds up neither the heartbeat nor the replica.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

from lease.background import BackgroundLoop

_PULSE = 1.0


class TaskThread:
    """A thread that runs async functions; it is started with the first of them."""

    def __init__(self) -> None:
        self._loop: BackgroundLoop | None = None
        self._seen = 0.0
        self._lock = threading.Lock()

    def start(self, function: Callable[[Any], Awaitable[Any]], argument: Any) -> "StartedTask":
        """Start ``function(argument)`` in the thread."""
        with self._lock:
            if self._loop is None:
                self._loop = BackgroundLoop("leased-tasks")
                self._seen = time.monotonic()
                self._loop.submit(self._pulse)
        return StartedTask(self._loop, function, argument)

    def age(self) -> float:
        """Return for how many seconds the loop has been blocked; 0 while there is no loop."""
        return max(0.0, time.monotonic() - self._seen - _PULSE) if self._loop is not None else 0.0

    def stop(self) -> None:
        """End the thread; one that a task blocks ends with the process."""
        if self._loop is not None and self.age() < _PULSE:
            self._loop.stop()

    async def _pulse(self) -> None:
        while True:
            self._seen = time.monotonic()
            await asyncio.sleep(_PULSE)


class StartedTask:
    """An async function at work in the thread."""

    def __init__(self, loop: BackgroundLoop, function: Callable[[Any], Awaitable[Any]], argument: Any) -> None:
        self.ended: Future[BaseException | None] = Future()
        """Its error or None, set when the function has really ended: a cancelled one may go on."""
        self._task: asyncio.Task[BaseException | None] | None = None
        self._loop = loop
        loop.submit(lambda: self._run(function, argument))

    def cancel(self) -> None:
        """Ask the function to end."""
        self._loop.submit(self._cancel)

    async def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self, function: Callable[[Any], Awaitable[Any]], argument: Any) -> None:
        async def whole() -> BaseException | None:
            try:
                await function(argument)
            except SystemExit as error:  # out of a task it would end the loop and every job in it
                return error if error.code else None
            except KeyboardInterrupt as error:
                return error
            return None

        self._task = asyncio.get_running_loop().create_task(whole())
        await asyncio.wait({self._task})
        cancelled = asyncio.CancelledError() if self._task.cancelled() else None
        self.ended.set_result(cancelled or self._task.exception() or self._task.result())
