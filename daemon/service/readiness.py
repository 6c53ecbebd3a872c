"""The liveness and readiness of a replica, which the web server's thread reads without waiting."""

from time import monotonic

from ..telemetry.sentences import sentence
from ..web.health import Beat
from .replica import Replica

LOOP_LIMIT = 30.0
"""Seconds without a tick after which a loop counts as dead."""


class Readiness:
    """The loops of a replica, and the problems that keep it from being ready."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._client, self._tasks = replica.context.client, replica.context.tasks
        self._started = monotonic()

    def loops(self) -> dict[str, Beat]:
        age = self._replica.age() if self._replica.running else monotonic() - self._started
        return {
            "replica": Beat(age, LOOP_LIMIT),
            "heartbeat": Beat(self._client.heartbeat_age(), self._client.timing.give_up),
        }

    def is_alive(self) -> bool:
        return all(beat.alive for beat in self.loops().values())

    def problems(self) -> dict[str, str]:
        """Return a sentence for each check that fails; empty when the replica is ready."""
        found = {}
        if self._replica.draining:
            found["draining"] = "the replica is stopping and claims no more runs"
        if not self._replica.running:
            found["starting"] = "the replica is still starting"
        if (away := self._replica.contact.lost_for()) is not None:
            found["database"] = f"the database has been unreachable for {away:.0f}s"
        if (silent := self._client.heartbeat_age()) > self._client.timing.renew_every * 2:
            found["heartbeat"] = f"the heartbeat has not run for {silent:.0f}s"
        if (age := self._tasks.age()) > LOOP_LIMIT:
            found["tasks"] = f"an async job has blocked the event loop of async jobs for {age:.0f}s"
        return found

    def standing(self) -> str | None:
        return self._replica.rollout.standing()

    def blocked(self) -> str | None:
        """Return a sentence about the job that blocks all async jobs, if one does (rule 25)."""
        named = self._tasks.blocked()
        return None if named is None else sentence(named)

    def counts(self) -> dict[str, int]:
        """Return the number of runs lost with their leases, and of writes that were refused."""
        return {"runs_lost": self._replica.runs.lost, "writes_refused": self._replica.runs.refused}
