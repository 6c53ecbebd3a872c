"""What a client runs on: a clock of its own that drifts, and a process that can be paused, put to sleep and killed."""

from collections.abc import Callable

from .loop import SimulatedLoop

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
