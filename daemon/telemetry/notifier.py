"""The delivery of a replica's facts to subscribers, each on its own thread, so that none delays the others: what shows or
logs them, the program's own, and those of installed packages.
"""

import logging
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Self

from lease.events import Granted, Refused, Released, Renewed

from .courier import Courier
from .fact_log import is_logged, log_fact, log_fact_or_output
from .facts import Fact, JobPrinted, JobProgressed, LeaseChanged, Note, SubscriberFailed
from .logs import LOGGER

Subscriber = Callable[[Fact], object]
"""Takes each fact in order, on its own thread; it may block. Whatever it raises is reported once, and ends nothing."""

GROUP = "leased.facts"
"""The group of entry points under which a package names functions that take facts."""
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
            lane.take(fact)

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
                lane.take(fact)


def notifier(shown: Subscriber, own: Subscriber | None) -> Notifier:
    """Return a notifier of ``shown``, of the subscriber that FILE gives, and of those of packages. One that cannot be
    loaded is told to the others, and does no harm.
    """
    subscribers, broken = [shown] if own is None else [shown, own], list[SubscriberFailed]()
    for entry in entry_points(group=GROUP):
        try:
            subscribers.append(entry.load())
        except Exception as error:  # noqa: BLE001 - a package that is broken must not keep jobs from running
            broken.append(SubscriberFailed(entry.value, f"it cannot be loaded: {error!r}"))
    made = Notifier(*subscribers)
    for fact in broken:
        made.notify(fact)
    return made


class _Lane(Courier[Fact]):
    """One subscriber, its queue and its thread."""

    def __init__(self, subscriber: Subscriber, report: "Callable[[_Lane, str], None]") -> None:
        self.name = getattr(subscriber, "__qualname__", type(subscriber).__qualname__)
        super().__init__(
            f"facts-{self.name}", self._call, _about_dropped, cost=_chatter, most_cost=MOST_CHATTER, most=MOST_FACTS
        )
        self._subscriber = subscriber
        logs = subscriber is log_fact or subscriber is log_fact_or_output
        self._wants: Callable[[Fact], bool] = is_logged if logs else lambda _: True
        self._report = report
        self._reported: set[str] = set()
        self.begin()  # without a thread of its own, a subscriber could block the replica's event loop

    def take(self, fact: Fact) -> None:
        if self._wants(fact) and not self.put(fact, len(fact.lines) if isinstance(fact, JobPrinted) else 1):
            self._report_once("dropped", "it cannot keep up: facts that do not fit in its queue are dropped")

    def _call(self, fact: Fact) -> None:
        try:
            self._subscriber(fact)
        except BaseException as error:
            if self._report_once("raised", f"it raised {error!r} on {type(fact).__name__}"):
                logging.getLogger(LOGGER).exception("the subscriber %s failed; this is logged once", self.name)

    def _report_once(self, kind: str, problem: str) -> bool:
        with self._changed:
            first = kind not in self._reported
            self._reported.add(kind)
        if first:
            self._report(self, problem)
        return first


def _about_dropped(number: int) -> Note:
    return Note(f"lines of output dropped because they arrived faster than they were shown: {number}")


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
