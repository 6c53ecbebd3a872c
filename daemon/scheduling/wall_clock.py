"""The wall clock, checked against the clock since boot.

On SQLite it decides what is due, so a jump of it pauses planning.
"""

from datetime import datetime

from lease.clock import boottime

from ..telemetry.facts import Note, Notify

JUMP = 30.0
"""Seconds. A smaller step makes no instant count as missed, and is followed at once."""
PATIENCE = 60.0
"""Seconds after which the new time is trusted: the clock has been corrected."""


class WallClock:
    """Judges readings of the wall clock, each with one of the clock since boot, and reports a jump.

    ``offset`` is how far the wall clock was ahead when a replica last registered in this boot; None if none has.
    """

    def __init__(self, notify: Notify, offset: float | None = None) -> None:
        self._notify = notify
        self._offset = offset
        self._new_offset: float | None = None
        self._since = 0.0

    def trusts(self, time: datetime) -> bool:
        """Return whether the time that the wall clock shows now agrees with earlier readings; if not, planning must
        wait.
        """
        boot = boottime()
        offset = time.timestamp() - boot
        if self._offset is None or abs(offset - self._offset) < JUMP:
            if self._new_offset is not None:
                self._notify(Note("the wall clock is back at the earlier time: planning resumes"))
            self._offset, self._new_offset = offset, None
            return True
        if self._new_offset is None or abs(offset - self._new_offset) >= JUMP:
            self._new_offset, self._since = offset, boot
            by, direction = abs(offset - self._offset), "forward" if offset > self._offset else "back"
            jumped = f"the wall clock jumped {direction} by {by:.0f}s"
            until = f"planning pauses until it is back, or has kept the new time for {PATIENCE:g}s"
            self._notify(Note(f"{jumped}: {until}", is_warning=True))
            return False
        if boot - self._since < PATIENCE:
            return False
        self._offset, self._new_offset = offset, None
        self._notify(Note(f"the wall clock has kept the new time for {PATIENCE:g}s: planning resumes with it"))
        return True
