"""Faults in the middle of a set (rule 15): the answer to one of its statements is lost, or its replica is killed there."""

import os
import signal
import time
from collections.abc import Sequence

from tests.support.sqlite import writer

from ..diary import boottime
from ..site import SqliteSite
from .network import NetworkFault
from .processes import KillReplica

MOMENTS = {
    "runs are claimed": "AS ids_json",
    "attempts begin": "AS starts_json",
    "attempts end": "AS jobs_json",
    "runs end": "AS ends_json",
    "it commits": "COMMIT",
}
"""The statements of a set, and what stands in each of them alone: the rows that it is given (`sets.given`)."""
_ROWS = tuple(sign for sign in MOMENTS.values() if sign != "COMMIT")
_PATIENCE = 4.0
"""Seconds in which a set must come to that moment; otherwise there was no target."""
_LOOK_EVERY = 0.0005


def is_at(moment: str, transaction: Sequence[str]) -> bool:
    """Return whether the last statement of a transaction is that of a set at this moment."""
    of_a_set = any(sign in statement for statement in transaction for sign in _ROWS)
    return of_a_set and MOMENTS[moment] in transaction[-1]


class _InSet(NetworkFault):
    def is_struck(self) -> bool:
        """Wait until a set is at a drawn moment, and hold its answers back; return False if none comes."""
        moment = self.chance.choice(list(MOMENTS))
        self.proxy.hold_answer(lambda transaction: is_at(moment, transaction))
        if not self.proxy.struck.wait(_PATIENCE):
            self.proxy.heal()
            return False
        self.since = boottime()
        return True

    def stop(self) -> None:
        if self.proxy.struck.is_set():
            self.proxy.reset()  # that answer is gone for good
        super().stop()


class LoseAnswerInSet(_InSet):
    """The answer to a statement of a set is lost, and so are all later ones over its connection."""

    kind = "answer in mid-set lost"
    longest = 3.0

    def start(self) -> bool:
        return self.is_struck()


class KillInSet(_InSet, KillReplica):
    """SIGKILL to a replica between two statements of a set, or before it hears that the set was committed."""

    kind = "replica killed in mid-set"
    costs_leases = False
    supervised = False  # which of two it is, the proxy does not know

    def start(self) -> bool:
        return self.is_struck() and self.kill(self.scene.fleet.replica_pid(self.slot))

    def stop(self) -> None:
        _InSet.stop(self)
        KillReplica.stop(self)


class KillInWrite(KillReplica):
    """SIGKILL to a replica that has the SQLite file locked, in the middle of a set or another write: the lock does not
    tell which.
    """

    kind = "replica killed in a write"
    on = SqliteSite

    def start(self) -> bool:
        pid = self.scene.fleet.replica_pid(self.slot)
        return pid is not None and self._is_stopped_in_a_write(pid) and self.kill(pid)

    def _is_stopped_in_a_write(self, pid: int) -> bool:
        """Stop the process while it writes; return False if it was never found at that."""
        path = self.scene.site.url.partition("///")[2]
        until = time.monotonic() + _PATIENCE
        try:
            while time.monotonic() < until:
                if writer(path) == pid:
                    os.kill(pid, signal.SIGSTOP)
                    if writer(path) == pid:
                        return True
                    os.kill(pid, signal.SIGCONT)  # that write had ended by then
                time.sleep(_LOOK_EVERY)
        except ProcessLookupError:
            return False
        return False
