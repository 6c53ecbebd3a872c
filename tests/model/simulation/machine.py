"""What a client runs on: a clock of its own that drifts, an event loop that never waits, and a process that can be paused, put
to sleep and killed.
"""

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


_ROUNDING = 1e-7
"""Seconds by which a timer is set later than it is due, so that it is due by the clock that it is read by."""


class Machine:
    """One process. Its clock counts the time in which it is paused or asleep; its loop's time leaves out the sleep (rule 2)."""

    def __init__(
        self, name: str, true_time: Callable[[], float], rate: float, offset: float, failed: Callable[[str], None]
    ) -> None:
        self.name = name
        self.rate = rate
        self.alive = True
        self._true_time = true_time
        self._offset = offset
        self._slept = 0.0
        self._stopped_at: float | None = None
        self._armed = False
        self.loop = SimulatedLoop(lambda: self.clock() - self._slept, failed)

    def clock(self) -> float:
        """Return what its own clock shows."""
        return self._offset + self.rate * self._true_time()

    def true(self, moment: float) -> float:
        """Return the true time at which its clock shows ``moment``."""
        return (moment - self._offset) / self.rate

    def runs(self) -> bool:
        """Tell whether it is alive, and neither paused nor asleep."""
        return self.alive and self._stopped_at is None

    def able(self) -> bool:
        """Tell whether it could run a handle now."""
        return self.runs() and self.loop.collect()

    def next_timer(self) -> float | None:
        """Return the true time of its next timer, if it runs and has one."""
        if not self.runs():
            return None
        when = self.loop.next_timer()
        return None if when is None else self.true(when + self._slept) + _ROUNDING

    def stop(self, *, when_it_sends: bool = False) -> None:
        """Run nothing until `go_on`; from now on, or from the next request on, whose reply then waits for it."""
        if when_it_sends:
            self._armed = True
        elif self._stopped_at is None:
            self._stopped_at = self._true_time()

    def sends(self) -> None:
        """Note that a request goes out."""
        if self._armed:
            self.stop()

    def go_on(self, *, asleep: bool) -> None:
        """Run again; if it was ``asleep``, its loop's time stood still meanwhile."""
        if asleep and self._stopped_at is not None:
            self._slept += (self._true_time() - self._stopped_at) * self.rate
        self._armed, self._stopped_at = False, None

    def crash(self) -> None:
        """Never run again."""
        self.alive = False
