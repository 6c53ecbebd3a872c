"""The lease under which a run executes (rule 14)."""

from dataclasses import dataclass

from sqlalchemy import Connection

from ..definitions.codec import UnreadableDefinition, read_schedule
from ..definitions.model import Schedule
from ..store import statements


@dataclass(frozen=True, slots=True)
class LeaseName:
    """``run/<application>/<schedule>``; the shared `lock` as it is; with `overlap = "allow"` ``…/<run id>``.

    No two of these collide: names of applications and schedules have no ``/``, and a lock does not begin with ``run/``.
    """

    base: str
    per_run: bool

    def of_run(self, run_id: int) -> str:
        return f"{self.base}/{run_id}" if self.per_run else self.base


def lease_name(application: str, schedule: Schedule) -> LeaseName:
    """Return the name for the runs of a schedule. A shared lock wins: its runs never overlap, whatever `overlap` says."""
    if schedule.lock is not None:
        return LeaseName(schedule.lock, per_run=False)
    return LeaseName(f"run/{application}/{schedule.name}", per_run=schedule.overlap == "allow")


def rename_leases(connection: Connection, application: str, name: str) -> None:
    """Name the lease of a schedule's pending runs by its stored definition: a sync passes over running ones. Its row must be locked."""
    row = statements.schedule.lock(connection, application, name)
    if row is None:
        return
    try:
        lease = lease_name(application, read_schedule(row.definition))
    except UnreadableDefinition:  # a newer release wrote it; its replicas name the lease
        return
    statements.run.name_leases(connection, application, name, lease.base, per_run=lease.per_run)
