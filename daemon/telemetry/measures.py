"""What a replica counts of its own facts: a subscriber, read by the metrics."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import assert_never

from lease.events import AtRisk, Lost, Renewed

from ..states import RunOutcome, Settlement
from . import facts
from .facts import Fact, LeaseChanged

_MARGINS = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 30, 60)
_WAITS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)
_DURATIONS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200)
_STALLS = (0.5, 1, 2, 5, 10, 30, 60, 300)


class Histogram:
    """How many values were at most each of the bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return the bounds as text, each with how many values were at most that."""
        found, total = list[tuple[str, float]](), 0
        for bound, count in zip((*map(float, self.bounds), "+Inf"), list(self._counts), strict=True):
            total += count
            found.append((str(bound), total))
        return found


class Measures:
    """The counts of one replica since its start. It is written by one thread, and read by any."""

    def __init__(self) -> None:
        self.ended = Counter[tuple[str, str, str]]()
        """The runs that ended here: schedule, state, and why they were skipped."""
        self.waited, self.took = Histogram(_WAITS), Histogram(_DURATIONS)
        self.claims = Counter({"first": 0, "again": 0})
        self.renewals = Counter({"confirmed": 0, "failed": 0})
        self.margin = Histogram(_MARGINS)
        self.leases_lost = Counter[str]()
        self.writes_refused = 0
        self.stalls = Histogram(_STALLS)
        self.sent = Counter[tuple[str, str]]()
        """The attempts to deliver messages and pings: kind and outcome."""
        self.retired = 0
        """The schedules that the definitions of this replica retired."""

    def __call__(self, fact: Fact) -> None:
        match fact:
            case facts.RunStarted(_, waited):
                self.claims["again" if waited is None else "first"] += 1
                if waited is not None:
                    self.waited.observe(waited)
            case facts.RunEnded(run, outcome, _, seconds):
                self._end(run.schedule, outcome, seconds)
            case facts.RunRecovered(run, settlement):
                self._end(run.schedule, settlement, None)
            case facts.TimesSkipped(_, schedule, reason, count):
                self.ended[schedule, "skipped", reason] += count
            case facts.SchedulesRetired(_, schedules):
                self.retired += len(schedules)
            case facts.MessageSent(kind=kind, outcome=outcome):
                self.sent[kind, outcome] += 1
            case facts.WriteRefused():
                self.writes_refused += 1
            case facts.LoopFreed(_, seconds):
                self.stalls.observe(seconds)
            case LeaseChanged(Renewed(margin=margin)):
                self.renewals["confirmed"] += 1
                self.margin.observe(max(0.0, margin))
            case LeaseChanged(AtRisk()):
                self.renewals["failed"] += 1
            case LeaseChanged(Lost(loss)):
                self.leases_lost[loss.kind.value] += 1
            case facts.JobStarted() | facts.JobEnded() | facts.JobPrinted() | facts.JobProgressed() | LeaseChanged():
                pass
            case facts.RunCancelled() | facts.RunLate() | facts.RunLong() | facts.LoopBlocked() | facts.NextDue():
                pass
            case facts.ReplicaStarted() | facts.ReplicaEnded() | facts.DatabaseAway() | facts.DatabaseBack():
                pass
            case facts.SubscriberFailed() | facts.Note():
                pass
            case _:
                assert_never(fact)

    def _end(self, schedule: str, outcome: RunOutcome | Settlement, seconds: float | None) -> None:
        match outcome:
            case "succeeded" | "failed" | "cancelled":
                self.ended[schedule, outcome, ""] += 1
                if seconds is not None:
                    self.took.observe(seconds)
            case "pending" | "lost" | "abandoned" | "stopped":  # it goes on
                pass
            case _:
                assert_never(outcome)
