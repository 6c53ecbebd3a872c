"""Faults of those who use locks beside the daemon: killed or stopped, as another program is."""

import signal

from tests.support.waiting import wait_until

from .fault import SlotFault
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
