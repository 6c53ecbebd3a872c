"""Faults of user code in the replica that it runs in."""

from pathlib import Path

from tests.support.waiting import wait_until

from ..mischief import armed, order
from .fault import SlotFault


class _Mischief(SlotFault):
    words = ""
    _order: Path | None = None

    def start(self) -> bool:
        pid, folder = self.scene.fleet.replica_pid(self.slot), self.scene.site.folder
        if pid is None or not armed(folder, pid).exists():
            return False
        self._order = order(folder, pid)
        draft = self._order.with_suffix(".draft")
        draft.write_text(self.words)
        draft.rename(self._order)
        return True

    def stop(self) -> None:
        if self._order is not None:
            wait_until(self._over, f"{self.kind} is over")

    def _over(self) -> bool:
        assert self._order is not None
        return not self._order.exists() or str(self.scene.fleet.replica_pid(self.slot)) != self._order.name


class BlockLoop(_Mischief):
    """The jobs' event loop is blocked for longer than a lease lasts."""

    kind = "event loop blocked"
    words = "block 4"
    longest = 0.2


class HoldInterpreter(_Mischief):
    """A C call holds the interpreter lock, for less than the tolerated outage."""

    kind = "interpreter lock held"
    words = "hold 0.6"
    longest = 0.2


class FillDescriptors(_Mischief):
    """The replica has no file descriptor left, for a while: what it begins then is stopped, and uses up nothing."""

    kind = "descriptors full"
    words = "fill 2"
    longest = 0.2
