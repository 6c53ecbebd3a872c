"""Processes that are killed or stopped: a replica, its supervisor, a job's child, its keeper."""

import contextlib
import os
import signal
import sqlite3
from contextlib import closing

from lease.turnstile import Turnstile, TurnstileBusy
from tests.support.postgres import children_of
from tests.support.waiting import wait_until

from ..fleet import Slot, keepers_of
from .fault import Scene, SlotFault


def _signal(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


class KillReplica(SlotFault):
    """SIGKILL; of a supervised slot, one of its replicas, which its supervisor starts again."""

    kind = "replica killed"
    longest = 2.0

    def start(self) -> bool:
        pid = self.scene.fleet.replica_pid(self.slot)
        self.slot.down = not self.slot.supervised
        return pid is not None and _signal(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self.slot.down:
            self.scene.fleet.relaunch(self.slot)


class KillSupervisor(SlotFault):
    """SIGKILL to the supervisor: its replicas notice, and end."""

    kind = "supervisor killed"
    longest = 2.0

    @classmethod
    def fits(cls, scene: Scene, slot: Slot) -> bool:
        return slot.supervised

    def start(self) -> bool:
        self.slot.down = True
        assert self.slot.replica is not None
        return _signal(self.slot.replica.pid, signal.SIGKILL)

    def stop(self) -> None:
        self.scene.fleet.relaunch(self.slot)


class _Paused(SlotFault):
    pid: int | None = None

    def target(self) -> int | None:
        raise NotImplementedError

    def start(self) -> bool:
        pid = self.target()
        if pid is None or not _signal(pid, signal.SIGSTOP):
            return False
        self.pid = pid
        return True

    def stop(self) -> None:
        if self.pid is not None:
            _signal(self.pid, signal.SIGCONT)


class PauseReplica(_Paused):
    """SIGSTOP, for longer or shorter than the lease; on SQLite between two writes, as a stopped writer holds up everybody."""

    kind = "replica paused"
    longest = 5.0
    costs_leases = True

    def target(self) -> int | None:
        return self.scene.fleet.replica_pid(self.slot)

    def start(self) -> bool:
        if not super().start() or self.scene.site.kind != "sqlite":
            return self.pid is not None
        path = self.scene.site.url.partition("///")[2]
        for _ in range(50):
            if _writable(path):
                return True
            _signal(self.pid or 0, signal.SIGCONT)
            wait_until(lambda: _writable(path), "the replica ends its write", limit=20)
            if not super().start():
                return False
        self.stop()
        return False


class PauseBriefly(PauseReplica):
    """The same, for less than the tolerated outage."""

    kind = "replica paused briefly"
    longest = 0.6
    costs_leases = False


class KillChild(SlotFault):
    """SIGKILL to a job's process."""

    kind = "child killed"
    longest = 0.2

    def start(self) -> bool:
        child = _child(self)
        return child is not None and _signal(child, signal.SIGKILL)

    def stop(self) -> None:
        pass


class PauseChild(_Paused):
    """SIGSTOP to a job's process."""

    kind = "child paused"
    longest = 5.0

    def target(self) -> int | None:
        return _child(self)


class KillKeeper(SlotFault):
    """SIGKILL to the keeper of a job's process."""

    kind = "keeper killed"
    longest = 0.2

    def start(self) -> bool:
        keeper = _keeper(self)
        return keeper is not None and _signal(keeper, signal.SIGKILL)

    def stop(self) -> None:
        pass


class PauseKeeper(_Paused):
    """SIGSTOP to the keeper of a job's process: with a healthy replica nothing is lost by it."""

    kind = "keeper paused"
    longest = 3.0

    def target(self) -> int | None:
        return _keeper(self)


def _keeper(fault: SlotFault) -> int | None:
    scene, slot = fault.scene, fault.slot
    replica = scene.fleet.replica_pid(slot)
    keepers = keepers_of(replica) if replica is not None else []
    return fault.chance.choice(keepers) if keepers else None


def _child(fault: SlotFault) -> int | None:
    keeper = _keeper(fault)
    children = children_of(keeper) if keeper is not None else []
    return fault.chance.choice(children) if children else None


def _writable(path: str) -> bool:
    with closing(sqlite3.connect(path, timeout=0.3, isolation_level=None)) as connection, Turnstile(path) as entrance:
        try:
            entrance.pass_within(0.3)
            connection.execute("BEGIN IMMEDIATE")
        except (TurnstileBusy, sqlite3.OperationalError):
            return False
    return True
