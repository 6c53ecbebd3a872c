"""The wall clock, checked against the clock since boot.

On SQLite it decides what is due, so a jump of it pauses planning.
"""

from dataclasses import dataclass

JUMP = 30.0
"""Seconds. A smaller step makes no instant count as missed, and is followed at once."""
PATIENCE = 60.0
"""Seconds after which the new time is trusted: the clock has been corrected."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether planning may trust the clock, and what to report about it."""

    trusted: bool
    note: str | None = None


_TRUSTED = Judgement(trusted=True)


class WallClock:
    """Judges readings of the wall clock (seconds since 1970), each with one of the clock since boot.

    ``offset`` is how far the wall clock was ahead when a replica last registered in this boot; None if none has.
    """

    def __init__(self, offset: float | None = None) -> None:
        self._offset = offset
        self._new_offset: float | None = None
        self._since = 0.0

    def judge(self, wall: float, boot: float) -> Judgement:
        """Return whether ``wall`` agrees with earlier readings; if not, planning must wait."""
        offset = wall - boot
        if self._offset is None or abs(offset - self._offset) < JUMP:
            note = None if self._new_offset is None else "the wall clock is back at the earlier time: planning resumes"
            self._offset, self._new_offset = offset, None
            return _TRUSTED if note is None else Judgement(trusted=True, note=note)
        if self._new_offset is None or abs(offset - self._new_offset) >= JUMP:
            self._new_offset, self._since = offset, boot
            by, direction = abs(offset - self._offset), "forward" if offset > self._offset else "back"
            note = (
                f"the wall clock jumped {direction} by {by:.0f}s: planning pauses until it is back, or has "
                f"kept the new time for {PATIENCE:g}s"
            )
            return Judgement(trusted=False, note=note)
        if boot - self._since < PATIENCE:
            return Judgement(trusted=False)
        self._offset, self._new_offset = offset, None
        return Judgement(
            trusted=True, note=f"the wall clock has kept the new time for {PATIENCE:g}s: planning resumes with it"
        )
