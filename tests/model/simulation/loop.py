"""An event loop that never waits: somebody else says what time it is, and when it may run its next handle."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, cast


class SimulatedLoop(asyncio.BaseEventLoop):
    """Tasks, futures, timeouts and sleeps are asyncio's own; there is no selector and no thread."""

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, time: Callable[[], float], failed: Callable[[str], None]) -> None:
        super().__init__()
        self._its_time = time
        self._failed = failed
        self.set_exception_handler(lambda _, context: self._failed(_sentence(context)))

    def time(self) -> float:
        return self._its_time()

    def next_timer(self) -> float | None:
        """Return when the next timer is due, by this loop's time."""
        timers = self._scheduled
        while timers and timers[0].cancelled():
            heapq.heappop(timers)
        return timers[0].when() if timers else None

    def collect(self) -> bool:
        """Move what is due to what is ready; True if there is anything to run."""
        now = self._its_time()
        while (when := self.next_timer()) is not None and when <= now:
            self._ready.append(heapq.heappop(self._scheduled))
        while self._ready and self._ready[0].cancelled():
            self._ready.popleft()
        return bool(self._ready)

    def step(self) -> None:
        """Run the one handle whose turn it is."""
        asyncio._set_running_loop(self)
        try:
            self._ready.popleft()._run()
        finally:
            asyncio._set_running_loop(None)

    def dismantle(self, limit: int = 100_000) -> None:
        """Cancel all that is left, and run it to its end."""
        self._failed = lambda _: None
        for _ in range(limit):
            if not self._ready:
                waiting = asyncio.all_tasks(self)
                if not waiting:
                    break
                for task in waiting:
                    task.cancel()
            if self.collect():
                self.step()
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    # What a loop with a selector would have

    def _process_events(self, event_list: Any) -> None:
        raise NotImplementedError

    def _write_to_self(self) -> None:
        """Wake nobody: this loop never sleeps."""

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it: it is dropped when its time comes."""


def _sentence(context: dict[str, Any]) -> str:
    error = cast("BaseException | None", context.get("exception"))
    return f"{context.get('message')}: {error!r}"
