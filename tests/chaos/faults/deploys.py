"""Deploys as faults: another file, a sync."""

import signal

from ..fleet import APPLICATION
from ..releases import RELEASES
from .fault import SiteFault, SlotFault


class _AnotherFile(SlotFault):
    """A replica ends, or is killed, and another one comes in its place with another file."""

    longest = 1.0

    def choices(self) -> list[int]:
        """Return the releases that it may have then."""
        raise NotImplementedError

    def start(self) -> bool:
        releases, replica = self.choices(), self.slot.replica
        if not releases or replica is None or replica.status is not None:
            return False
        self.slot.down = True
        self.slot.release = self.chance.choice(releases)
        replica.send(self.chance.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGKILL]))
        return True

    def stop(self) -> None:
        if self.slot.down:
            self.scene.fleet.relaunch(self.slot)


class OlderFile(_AnotherFile):
    """As where a straggler restarts in the midst of a rollout, or in a rollback."""

    kind = "restarted, older file"

    def choices(self) -> list[int]:
        return [release for release in RELEASES if release < self.slot.release]


class NewerFile(_AnotherFile):
    """As in a deploy."""

    kind = "restarted, newer file"

    def choices(self) -> list[int]:
        return [release for release in RELEASES if release > self.slot.release]


class LoadAnew(SlotFault):
    """SIGHUP: a lone replica starts anew as the same process, a supervisor replaces its replicas."""

    kind = "SIGHUP"
    longest = 1.0

    def start(self) -> bool:
        replica = self.slot.replica
        if replica is None or replica.status is not None or not replica.said(": generation "):
            return False
        replica.send(signal.SIGHUP)
        return True

    def stop(self) -> None:
        pass


class SyncFile(SiteFault):
    """`leased sync` of any release, beside replicas of any others."""

    kind = "file synced"
    longest = 0.5
    options: tuple[str, ...] = ()

    def start(self) -> bool:
        command = ("sync", str(APPLICATION), f"--database={self.scene.site.url}", *self.options)
        return self.scene.fleet.command(*command, release=self.chance.choice(RELEASES)).status == 0

    def stop(self) -> None:
        pass


class TakeOver(SyncFile):
    """The same with `--take-over`."""

    kind = "file put on top"
    options = ("--take-over",)
