"""The delivery of facts to subscribers, each on its own thread, so that none delays the others."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from .facts import Fact, JobPrinted, JobProgressed, SubscriberFailed
from .logs import LOGGER

Subscriber = Callable[[Fact], None]
"""Takes each fact in order, on its own thread; it may block, and an error is reported once."""

MOST_CHATTER = 2_000
"""The queued facts above which further lines of output and progress are dropped."""
MOST_FACTS = 50_000
"""The queued facts above which every further fact is dropped."""
_CLOSE_WITHIN = 2.0


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

    def flush(self, seconds: float = _CLOSE_WITHIN) -> bool:
        """Wait for ``seconds`` until all facts so far are delivered; return whether they are."""
        deadline = time.monotonic() + seconds
        delivered = [lane.flush(deadline) for lane in self._lanes]
        return all(delivered)

    def close(self, seconds: float = _CLOSE_WITHIN) -> bool:
        """Deliver queued facts for ``seconds``, then stop; return whether all are delivered."""
        delivered = self.flush(seconds)
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
        self._waiting: deque[Fact] = deque()
        self._changed = threading.Condition()
        self._idle = True
        self._stopped = False
        self._reported: set[str] = set()
        self._thread = threading.Thread(target=self._deliver, name=f"facts-{self.name}", daemon=True)
        self._thread.start()

    def put(self, fact: Fact) -> None:
        most = MOST_CHATTER if isinstance(fact, JobPrinted | JobProgressed) else MOST_FACTS
        with self._changed:
            full = len(self._waiting) >= most
            if not full:
                self._waiting.append(fact)
                self._changed.notify_all()
        if full:
            self._report_once("dropped", f"{most:,} facts are queued; further ones are dropped until it catches up")

    def flush(self, deadline: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: self._idle and not self._waiting, max(0.0, deadline - time.monotonic())
            )

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _deliver(self) -> None:
        while (fact := self._next()) is not None:
            try:
                self._subscriber(fact)
            except Exception as error:
                if self._report_once("raised", f"it raised {error!r} on {type(fact).__name__}"):
                    logging.getLogger(LOGGER).exception("the subscriber %s failed; this is logged once", self.name)

    def _next(self) -> Fact | None:
        with self._changed:
            self._idle = not self._waiting
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._stopped)
            self._idle = False
            return self._waiting.popleft() if self._waiting and not self._stopped else None

    def _report_once(self, kind: str, problem: str) -> bool:
        with self._changed:
            first = kind not in self._reported
            self._reported.add(kind)
        if first:
            self._report(self, problem)
        return first
