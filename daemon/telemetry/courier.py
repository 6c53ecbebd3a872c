"""A bounded queue with a thread that delivers its items, so that nobody who queues one has to wait."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Courier(Generic[T]):
    """Passes items on to ``deliver`` in order. Those that no longer fit are dropped, and ``about_dropped`` returns the
    item that says how many; it takes their place.

    ``cost`` returns what an item takes of ``most_cost``; one that costs nothing is dropped if ``most`` wait.
    """

    def __init__(
        self,
        name: str,
        deliver: Callable[[T], object],
        about_dropped: Callable[[int], T],
        *,
        cost: Callable[[T], int],
        most_cost: int,
        most: int = 0,
    ) -> None:
        self._name, self._deliver, self._about_dropped = name, deliver, about_dropped
        self._cost, self._most_cost, self._most = cost, most_cost, most
        self._queue: deque[T] = deque()
        self._queued = self._dropped = self._delivered = 0
        self._idle, self._stopped = True, False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, item: T, counts_as: int = 1) -> bool:
        """Queue an item, and return whether it fits; one that was dropped counts as so many. For any thread."""
        cost = self._cost(item)
        with self._changed:
            full = self._queued + cost > self._most_cost if cost else len(self._queue) >= self._most
            if full:
                self._dropped += counts_as
                return False
            self._tell_of_dropped()
            self._append(item)
            try:
                self.begin()
            except RuntimeError:
                self._deliver_here()
            if self._idle:
                self._changed.notify_all()
        return True

    def begin(self) -> None:
        """Start the thread, unless it runs; raises `RuntimeError` if the system has none left."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def flush(self, patience: float | None) -> bool:
        """Wait until all is delivered, and return whether it is: not once nothing was for ``patience`` seconds."""
        with self._changed:
            self._tell_of_dropped()
            self._changed.notify_all()
            while not self._is_done() and self._has_gone_on(self._delivered, patience):
                continue
            return self._is_done()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _is_done(self) -> bool:
        return self._idle and not self._queue

    def _has_gone_on(self, before: int, patience: float | None) -> bool:
        return self._changed.wait_for(lambda: self._delivered != before or self._is_done(), patience)

    def _tell_of_dropped(self) -> None:
        if self._dropped:
            self._append(self._about_dropped(self._dropped))
            self._dropped = 0

    def _append(self, item: T) -> None:
        self._queue.append(item)
        self._queued += self._cost(item)

    def _next(self) -> T:
        item = self._queue.popleft()
        self._queued -= self._cost(item)
        return item

    def _deliver_here(self) -> None:
        """Deliver what is queued in this thread, one caller at a time: what a replica says of a shortage must not wait
        for its end.
        """
        while self._queue:
            self._deliver(self._next())
            self._delivered += 1

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._stopped:
                    self._idle = True
                    self._changed.notify_all()
                    self._changed.wait()
                if self._stopped:
                    return
                self._idle = False
                item = self._next()
            self._deliver(item)
            self._delivered += 1
