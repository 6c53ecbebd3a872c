"""Faults of jobs: runs that make trouble for all that is at work beside them."""

from ..trouble import BLOCKER, KILLER
from .fault import SiteFault


class _Triggered(SiteFault):
    longest = 0.2
    schedule = ""

    def start(self) -> bool:
        """Trigger a run, which any replica may claim."""
        told = self.scene.fleet.command("trigger", self.schedule, f"--database={self.scene.site.url}", "--by=chaos")
        return told.status == 0


class TriggerKiller(_Triggered):
    """A job that kills its replica, and each replica that takes its run over."""

    kind = "killer triggered"
    schedule = KILLER


class TriggerBlocker(_Triggered):
    """An async job that blocks the event loop it shares, and is only to be ended with its process."""

    kind = "blocker triggered"
    schedule = BLOCKER
