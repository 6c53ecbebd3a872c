"""The names of the leases under which runs execute (rule 14), and of those under which replicas prune and ping."""

from dataclasses import dataclass
from typing import assert_never

from ..definitions.schedule import Schedule

_OWN = "run/"
"""How the names of leases begin that are no shared locks."""
PRUNING = "prune/"
"""The beginning of the name of the lease under which a replica prunes; the application follows."""

PINGING = "ping/"
"""The same of the lease under which a replica pings for the whole fleet."""


@dataclass(frozen=True, slots=True)
class LeaseName:
    """``run/<application>/<schedule>``, or the shared `lock`; with `overlap = "allow"` ``…/<run id>``. Under a lock
    with several slots, that of the slot under which the claim puts it.

    Names never collide: those of applications and schedules have no ``/``, and a lock does not begin with ``run/``.
    """

    base: str
    per_run: bool
    queue: str | None = None
    """The queue in which it waits to be claimed (`definitions.values.queues`)."""

    def of_run(self, run_id: int) -> str:
        return f"{self.base}/{run_id}" if self.per_run else self.base


def lease_name(application: str, schedule: Schedule) -> LeaseName:
    """Return the lease name for a schedule's runs. Under a shared lock, no more overlap than it has slots."""
    queue = None if schedule.queue is None else schedule.queue.name
    if schedule.lock is not None:
        return LeaseName(schedule.lock.name, per_run=False, queue=queue)
    base = f"{_OWN}{application}/{schedule.name}"
    match schedule.overlap:
        case "allow":
            return LeaseName(base, per_run=True, queue=queue)
        case "skip" | "queue" | "replace":
            return LeaseName(base, per_run=False, queue=queue)
        case _:
            assert_never(schedule.overlap)


def is_shared(name: str) -> bool:
    """Return whether the lease of this name is a shared lock, which runs of any schedule may wait for."""
    return not name.startswith(_OWN)
