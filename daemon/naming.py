"""The lease under which a run executes (rule 14)."""

from dataclasses import dataclass

from .definitions import Schedule


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
