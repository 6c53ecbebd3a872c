"""Deploys as faults: another file, a sync."""

import os
import signal
from contextlib import ExitStack, suppress

from ..fleet import APPLICATION, OTHER, VALID
from ..releases import RELEASES
from .fault import SiteFault, SlotFault
from .processes import Restarts


class _AnotherFile(Restarts):
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
        self.slot.sighup = replica, len(replica.said(VALID))
        replica.send(signal.SIGHUP)
        return True


class SyncFile(SiteFault):
    """`leased sync` of any release, beside replicas of any others."""

    kind = "file synced"
    longest = 0.5
    options: tuple[str, ...] = ()

    def start(self) -> bool:
        command = ("sync", str(APPLICATION), f"--database={self.scene.site.url}", *self.options)
        return self.scene.fleet.command(*command, release=self.chance.choice(RELEASES)).status == 0


class OtherFile(SiteFault):
    """`leased sync` of another team's file under the same name, while replicas of this one are up: refused."""

    kind = "another file of that name"
    longest = 0.1

    def start(self) -> bool:
        fleet = self.scene.fleet
        with ExitStack() as stack:
            for slot in fleet.slots:  # none of them is down, or away, then
                stack.enter_context(slot.busy)
            fleet.intrusions.append(fleet.command("sync", str(OTHER), f"--database={self.scene.site.url}"))
        return True


class EditSetting(SlotFault):
    """The database's URL is edited under a supervisor, and one of its replicas is killed: the next one must not start in
    a database that nobody has checked.
    """

    kind = "setting edited"
    longest = 2.0
    supervised = True

    def start(self) -> bool:
        pid = self.scene.fleet.replica_pid(self.slot)
        if pid is None or self.slot.checks_file:  # which would make it the database of all that start from now on
            return False
        self._write(self.scene.site.elsewhere)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        self._write(self.scene.site.address(self.slot.name))

    def _write(self, url: str) -> None:
        assert self.slot.url_file is not None
        draft = self.slot.url_file.with_suffix(".draft")
        draft.touch(0o600)
        draft.write_text(url)
        draft.rename(self.slot.url_file)


class TakeOver(SyncFile):
    """The same with `--take-over`."""

    kind = "file put on top"
    options = ("--take-over",)
