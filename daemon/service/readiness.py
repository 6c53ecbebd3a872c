"""Whether a replica is alive and ready, as its probes answer; read from the web server's thread, and never waits."""

from time import monotonic

from lease.client import LeaseClient

from ..jobs.task_thread import TaskThread
from ..web.health import Beat
from .replica import Replica

LOOP_LIMIT = 30.0
"""Seconds after which a loop that has not come round counts as dead."""


class Readiness:
    """The loops of one replica, and what keeps it from being ready."""

    def __init__(self, replica: Replica, client: LeaseClient, tasks: TaskThread) -> None:
        self._replica = replica
        self._client = client
        self._tasks = tasks
        self._started = monotonic()

    def loops(self) -> dict[str, Beat]:
        """Return the last beat of each loop."""
        age = self._replica.age() if self._replica.running else monotonic() - self._started
        return {
            "replica": Beat(age, LOOP_LIMIT),
            "heartbeat": Beat(self._client.heartbeat_age(), self._client.timing.give_up),
        }

    def problems(self) -> dict[str, str]:
        """Return a sentence for each check that fails; none when it is ready."""
        found = {}
        if self._replica.draining:
            found["draining"] = "it was told to stop, and claims nothing more"
        if not self._replica.running:
            found["starting"] = "it has not come up yet"
        if (away := self._replica.contact.lost_for()) is not None:
            found["database"] = f"unreachable for {away:.0f}s"
        if (silent := self._client.heartbeat_age()) > self._client.timing.renew_every * 2:
            found["heartbeat"] = f"not seen at work for {silent:.0f}s"
        if (blocked := self._tasks.age()) > LOOP_LIMIT:
            found["tasks"] = f"an async job has blocked the loop of async jobs for {blocked:.0f}s"
        return found

    def counts(self) -> dict[str, int]:
        """Return how many runs were lost with their leases, and how many writes were refused as their grant had ended."""
        return {"runs_lost": self._replica.runs.lost, "writes_refused": self._replica.runs.refused}
