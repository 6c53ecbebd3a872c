"""Faults of those who use locks beside the daemon: killed or stopped, as another program is."""

import signal
import time
from contextlib import suppress

from tests.support.waiting import wait_until

from ..fleet import Slot
from ..users.journal import ACCOUNT
from ..users.plans import PEOPLE
from .fault import Scene, SlotFault
from .processes import PauseReplica


class KillUser(SlotFault):
    """SIGKILL to a user of locks; another process of that user follows."""

    kind = "lock user killed"
    longest = 1.0

    def start(self) -> bool:
        self._killed = self.slot.replica
        if self._killed is None or self._killed.status is not None:
            return False
        self._killed.send(signal.SIGKILL)
        return True

    def stop(self) -> None:
        if self._killed is not None:
            wait_until(lambda: self.slot.replica is not self._killed, f"{self.slot.name} is back")


class PauseUser(PauseReplica):
    """SIGSTOP to a user of locks, longer or shorter than the lease."""

    kind = "lock user paused"

    def target(self) -> int | None:
        replica = self.slot.replica
        return replica.pid if replica is not None and replica.status is None else None


class InterruptUser(SlotFault):
    """SIGINT to a user that works in its main thread, wherever that is then."""

    kind = "lock user interrupted"
    longest = 0.2
    times = 1

    @classmethod
    def fits(cls, scene: Scene, slot: Slot) -> bool:
        return PEOPLE.get(slot.name) in {"main", "tasks"}

    def start(self) -> bool:
        replica = self.slot.replica
        # Before its first note it is still importing, where an interrupt ends any program.
        if replica is None or replica.status is not None or not self._works(replica.pid):
            return False
        with suppress(ProcessLookupError):
            for _ in range(self.times):
                replica.send(signal.SIGINT)
                time.sleep(self.chance.uniform(20e-6, 200e-6))
        return True

    def _works(self, pid: int) -> bool:
        journals = (self.scene.site.folder / ACCOUNT).glob(f"{self.slot.name}-{pid}.*")
        return any(journal.stat().st_size for journal in journals)


class InterruptUserTwice(InterruptUser):
    """A second one, 20 to 200 microseconds later, as where somebody leans on ^C."""

    kind = "lock user interrupted twice"
    times = 2
