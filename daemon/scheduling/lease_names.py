"""The name of the lease under which a run executes (rule 14)."""

from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Connection

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.schedule import Schedule
from ..store import statements


@dataclass(frozen=True, slots=True)
class LeaseName:
    """``run/<application>/<schedule>``, or the shared `lock`; with `overlap = "allow"` ``…/<run
    id>``.

    Names never collide: those of applications and schedules have no ``/``, and a lock does not
    begin with ``run/``.
    """

    base: str
    per_run: bool

    def of_run(self, run_id: int) -> str:
        return f"{self.base}/{run_id}" if self.per_run else self.base


def lease_name(application: str, schedule: Schedule) -> LeaseName:
    """Return the lease name for a schedule's runs. Under a shared lock, runs never overlap."""
    if schedule.lock is not None:
        return LeaseName(schedule.lock, per_run=False)
    base = f"run/{application}/{schedule.name}"
    match schedule.overlap:
        case "allow":
            return LeaseName(base, per_run=True)
        case "skip" | "queue":
            return LeaseName(base, per_run=False)
        case _:
            assert_never(schedule.overlap)


def rename_leases(connection: Connection, application: str, name: str) -> None:
    """Write the lease name of a schedule's pending runs of its stored definition (rule 22).

    A run is adopted only while it is pending, so this is due when one is put back. The schedule's row
    must be locked.
    """
    row = statements.schedule.lock(connection, application, name)
    if row is None:
        return
    try:
        lease = lease_name(application, read_schedule(row.definition))
    except UnreadableDefinition:  # a newer release wrote it; its replicas name the lease
        return
    statements.run.name_leases(connection, application, name, lease.base, per_run=lease.per_run, digest=row.run_digest)
