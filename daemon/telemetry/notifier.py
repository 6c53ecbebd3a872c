"""The delivery of facts to subscribers, each on its own thread, so that none delays the others."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Self

from lease.events import Granted, Refused, Released, Renewed

from .facts import Fact, JobPrinted, JobProgressed, LeaseChanged, Note, SubscriberFailed
from .logs import LOGGER

Subscriber = Callable[[Fact], object]
"""Takes each fact in order, on its own thread; it may block. Whatever it raises is reported once, and ends nothing."""

MOST_CHATTER = 16 * 1024 * 1024
"""The bytes of queued output, progress and renewals above which further ones are dropped."""
MOST_FACTS = 50_000
"""The queued facts above which every further fact is dropped."""
_COST = 200
"""The bytes of a queued fact, beside its text."""
_PATIENCE = 2.0


class Notifier:
    """Notifies every subscriber of every fact; a context manager that delivers all at its end."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._lanes = [_Lane(subscriber, self._report) for subscriber in subscribers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def notify(self, fact: Fact) -> None:
        """Queue the fact for each subscriber without waiting; for any thread."""
        for lane in self._lanes:
            lane.put(fact)

    def flush(self, patience: float | None = _PATIENCE) -> bool:
        """Wait until all facts so far are delivered, and return whether they are.

        Give up on a subscriber that takes none for ``patience`` seconds; None: never on the first, which shows them.
        """
        others = _PATIENCE if patience is None else patience
        delivered = [lane.flush(patience if lane is self._lanes[0] else others) for lane in self._lanes]
        return all(delivered)

    def add(self, subscriber: Subscriber) -> None:
        """Notify one more subscriber, of all facts from here on."""
        self._lanes = [*self._lanes, _Lane(subscriber, self._report)]

    def close(self, patience: float | None = _PATIENCE) -> bool:
        """Do the same, and stop."""
        delivered = self.flush(patience)
        for lane in self._lanes:
            lane.stop()
        return delivered

    def _report(self, failed: "_Lane", problem: str) -> None:
        fact = SubscriberFailed(failed.name, problem)
        for lane in self._lanes:
            if lane is not failed:
                lane.put(fact)


class _Lane:
    """One subscriber, its queue and its thread."""

    def __init__(self, subscriber: Subscriber, report: "Callable[[_Lane, str], None]") -> None:
        self.name = getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
        self._subscriber = subscriber
        self._report = report
        self._queue: deque[Fact] = deque()
        self._chatter = 0
        self._dropped = 0
        self._taken = 0
        self._changed = threading.Condition()
        self._idle = True
        self._stopped = False
        self._reported: set[str] = set()
        self._thread = threading.Thread(target=self._deliver, name=f"facts-{self.name}", daemon=True)
        self._thread.start()

    def put(self, fact: Fact) -> None:
        with self._changed:
            cost = _chatter(fact)
            full = self._chatter + cost > MOST_CHATTER if cost else len(self._queue) >= MOST_FACTS
            if full:
                self._dropped += len(fact.lines) if isinstance(fact, JobPrinted) else 1
            else:
                self._say_what_was_dropped()
                self._chatter += cost
                self._queue.append(fact)
                self._changed.notify_all()
        if full:
            self._report_once("dropped", "it cannot keep up: facts that do not fit in its queue are dropped")

    def flush(self, patience: float | None) -> bool:
        with self._changed:
            self._say_what_was_dropped()
            self._changed.notify_all()
            while not self._is_done() and self._has_gone_on(self._taken, patience):
                continue
            return self._is_done()

    def _is_done(self) -> bool:
        return self._idle and not self._queue

    def _has_gone_on(self, before: int, patience: float | None) -> bool:
        return self._changed.wait_for(lambda: self._taken != before or self._is_done(), patience)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _say_what_was_dropped(self) -> None:
        """Queue a note in the place of what was dropped, for the subscriber itself."""
        if self._dropped:
            self._queue.append(
                Note(f"lines of output dropped because they arrived faster than they were shown: {self._dropped}")
            )
            self._dropped = 0

    def _deliver(self) -> None:
        while (fact := self._next()) is not None:
            try:
                self._subscriber(fact)
            except BaseException as error:
                if self._report_once("raised", f"it raised {error!r} on {type(fact).__name__}"):
                    logging.getLogger(LOGGER).exception("the subscriber %s failed; this is logged once", self.name)

    def _next(self) -> Fact | None:
        with self._changed:
            self._taken += 1
            self._idle = not self._queue
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._queue or self._stopped)
            self._idle = False
            if not self._queue or self._stopped:
                return None
            fact = self._queue.popleft()
            self._chatter -= _chatter(fact)
            return fact

    def _report_once(self, kind: str, problem: str) -> bool:
        with self._changed:
            first = kind not in self._reported
            self._reported.add(kind)
        if first:
            self._report(self, problem)
        return first


def _chatter(fact: Fact) -> int:
    """Return the bytes of a fact that may come in floods and be dropped first; 0 for all others."""
    match fact:
        case JobPrinted(lines=lines):
            return sum(map(len, lines), _COST * len(lines))
        case JobProgressed(message=message):
            return _COST + len(message or "")
        case LeaseChanged(Renewed(grants=grants)):
            return _COST + _COST * len(grants)
        case LeaseChanged(Granted() | Released() | Refused()):
            return _COST
        case _:
            return 0
