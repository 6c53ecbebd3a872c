"""Faults of processes, killed or stopped: a replica, its supervisor, a job's child, its keeper."""

import contextlib
import os
import signal

from tests.support.postgres import children_of
from tests.support.sqlite import can_write
from tests.support.waiting import wait_until

from ..diary import boottime
from ..processes import keepers_of, templates_of
from .fault import SiteFault, SlotFault


def _signal(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


class Restarts(SlotFault):
    """A fault after which the slot's replica is started again, where it is down."""

    def stop(self) -> None:
        if self.slot.down:
            self.scene.fleet.relaunch(self.slot)


class KillReplica(Restarts):
    """SIGKILL to a replica; in a supervised slot, to one that its supervisor restarts."""

    kind = "replica killed"
    longest = 2.0

    def start(self) -> bool:
        return self.kill(self.scene.fleet.replica_pid(self.slot))

    def kill(self, pid: int | None) -> bool:
        """Kill this process of the slot; return False if it is gone."""
        self.slot.down = not self.slot.supervised
        return pid is not None and _signal(pid, signal.SIGKILL)


class KillAfar(KillReplica):
    """SIGKILL to a replica whose death cannot be proven, as on another machine: the ttl decides."""

    kind = "replica killed, unprovable"
    supervised = False

    def start(self) -> bool:
        pid = self.scene.fleet.replica_pid(self.slot)
        return pid is not None and self.scene.site.move_away(pid) and super().start()


class RestartReplica(Restarts):
    """SIGTERM to a replica, as in a rolling restart: it drains and ends."""

    kind = "replica restarted"
    longest = 1.0
    supervised = False

    def start(self) -> bool:
        pid = self.scene.fleet.replica_pid(self.slot)
        self.slot.down = True
        return pid is not None and _signal(pid, signal.SIGTERM)


class KillAll(SiteFault):
    """SIGKILL to all replicas at once: the first to return finds no other alive."""

    kind = "all replicas killed"
    longest = 2.0
    outage = True

    def start(self) -> bool:
        self._slots = self.scene.fleet.slots
        for slot in self._slots:
            slot.busy.acquire()
            slot.down = True
        self.since = boottime()
        for slot in self._slots:
            if slot.replica is not None and self.scene.fleet.status(slot) is None:
                slot.replica.send(signal.SIGKILL)
        return True

    def stop(self) -> None:
        try:
            for slot in self._slots:
                self.scene.fleet.relaunch(slot)
        finally:  # or an error here would let the other lanes wait for ever
            for slot in self._slots:
                slot.busy.release()


class KillSupervisor(Restarts):
    """SIGKILL to the supervisor: its replicas notice, and end."""

    kind = "supervisor killed"
    longest = 2.0
    supervised = True

    def start(self) -> bool:
        self.slot.down = True
        assert self.slot.replica is not None
        return _signal(self.slot.replica.pid, signal.SIGKILL)


def _keeper(fault: SlotFault) -> int | None:
    replica = fault.scene.fleet.replica_pid(fault.slot)
    keepers = keepers_of(replica) if replica is not None else []
    return fault.chance.choice(keepers) if keepers else None


def _child(fault: SlotFault) -> int | None:
    keeper = _keeper(fault)
    children = children_of(keeper) if keeper is not None else []
    return fault.chance.choice(children) if children else None


class _Struck(SlotFault):
    signal = signal.SIGKILL
    pid: int | None = None

    def target(self) -> int | None:
        raise NotImplementedError

    def start(self) -> bool:
        pid = self.target()
        if pid is None or not _signal(pid, self.signal):
            return False
        self.pid = pid
        return True


class _Paused(_Struck):
    signal = signal.SIGSTOP

    def stop(self) -> None:
        if self.pid is not None:
            _signal(self.pid, signal.SIGCONT)


class PauseReplica(_Paused):
    """SIGSTOP to a replica, longer or shorter than the lease; on SQLite between two writes."""

    kind = "replica paused"
    longest = 5.0
    costs_leases = True

    def target(self) -> int | None:
        return self.scene.fleet.replica_pid(self.slot)

    def start(self) -> bool:
        if not super().start():
            return False
        if self.scene.site.kind != "sqlite":
            return True
        path = self.scene.site.url.partition("///")[2]
        while not can_write(path):
            self.stop()
            wait_until(lambda: can_write(path), "the replica ends its write")
            if not super().start():
                return False
        return True


class PauseBriefly(PauseReplica):
    """SIGSTOP to a replica for less than the tolerated outage."""

    kind = "replica paused briefly"
    longest = 0.6
    costs_leases = False


class KillChild(_Struck):
    """SIGKILL to a job's process."""

    kind = "child killed"
    longest = 0.2
    target = _child


class PauseChild(_Paused):
    """SIGSTOP to a job's process."""

    kind = "child paused"
    target = _child


class KillKeeper(_Struck):
    """SIGKILL to the keeper of a job's process."""

    kind = "keeper killed"
    longest = 0.2
    target = _keeper


class PauseKeeper(_Paused):
    """SIGSTOP to the keeper of a job's process: a healthy replica loses nothing."""

    kind = "keeper paused"
    longest = 3.0
    target = _keeper


class KillTemplate(_Struck):
    """SIGKILL to a process from which a replica forks its children: none of them is any worse off."""

    kind = "template killed"
    longest = 0.2

    def target(self) -> int | None:
        replica = self.scene.fleet.replica_pid(self.slot)
        templates = templates_of(replica) if replica is not None else []
        return self.chance.choice(templates) if templates else None
