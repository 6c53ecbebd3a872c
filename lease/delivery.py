"""The delivery of events to a program's subscriber, from a bounded queue in a thread of its own, so that
one that is slow, or blocks, delays no renewal (rule 8).
"""

import os
from collections import deque
from collections.abc import Callable

from .events import Dropped, Event, Listener, chatter, guarded, is_logged, log_event
from .private import SafeCondition
from .threads import CallbackThread

MOST_CHATTER = 50_000
"""The grants in queued events of the daily round above which further such events are dropped."""
MOST_EVENTS = 100_000
"""The queued events above which each further one is dropped."""
_PATIENCE = 2.0
"""Seconds that a subscriber has, when its client closes, to take what is queued."""


class Delivery:
    """Delivers each event to one subscriber, in order. Losses and failures have a room of their own in
    the queue, which no renewal takes from them; what is dropped is counted, and told as `Dropped`.
    """

    def __init__(self, subscriber: Listener) -> None:
        self._subscriber = guarded(subscriber)
        self.wants: Callable[[Event], bool] = is_logged if subscriber is log_event else lambda _: True
        """Returns whether anything would come of an event."""
        self._pid = os.getpid()
        self._queue: deque[Event] = deque()
        self._chatter = 0
        self._dropped = 0
        self._busy = False
        self._closed = False
        self._changed = SafeCondition()
        CallbackThread("lease-events", self._run).start()

    def put(self, event: Event) -> None:
        """Queue ``event`` without waiting; for any thread. Once this is closed, or in a forked child, it
        is delivered here and now. What would only be logged, and is not, wakes no thread.
        """
        if not self.wants(event):
            return
        if os.getpid() != self._pid or not self._take(event):
            self._subscriber(event)

    def _take(self, event: Event) -> bool:
        with self._changed:
            if self._closed:
                return False
            grants = chatter(event)
            fits = not grants or not self._chatter or self._chatter + grants <= MOST_CHATTER
            if fits and len(self._queue) < MOST_EVENTS:
                self._tell_of_dropped()
                self._chatter += grants
                self._queue.append(event)
                self._changed.notify_all()
            else:
                self._dropped += 1
            return True

    def close(self) -> None:
        """Deliver what is queued, unless that takes too long, and stop; nothing in a forked child, where
        no thread would do it.
        """
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._tell_of_dropped()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not (self._busy or self._queue), _PATIENCE)
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()

    def _tell_of_dropped(self) -> None:
        """Queue the number of those that were dropped, in their place."""
        if self._dropped:
            self._queue.append(Dropped(self._dropped))
            self._dropped = 0

    def _run(self) -> None:
        while (event := self._next()) is not None:
            self._subscriber(event)

    def _next(self) -> Event | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._closed)
            if not self._queue:
                return None
            self._busy = True
            event = self._queue.popleft()
            self._chatter -= chatter(event)
            return event
