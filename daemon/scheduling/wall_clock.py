"""The wall clock against the clock since boot. On SQLite what is due follows it, so that a jump of it holds up planning."""

from dataclasses import dataclass

JUMP = 30.0
"""Seconds. A smaller step makes no instant count as missed, and is followed at once."""
PATIENCE = 60.0
"""Seconds after which a clock that has stayed where it jumped to is believed: somebody has set it right."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the clock may be planned by, and what is to be told of it."""

    trusted: bool
    news: str | None = None


_TRUSTED = Judgement(trusted=True)
_HELD = Judgement(trusted=False)


class WallClock:
    """Judges readings of the wall clock, in seconds since 1970, each beside one of the clock since boot.

    ``offset`` is by how much the wall clock was ahead when another replica of this boot last told it; None where nobody has.
    """

    def __init__(self, offset: float | None = None) -> None:
        self._offset = offset
        self._elsewhere: float | None = None
        self._since = 0.0

    def judge(self, wall: float, boot: float) -> Judgement:
        """Return whether ``wall`` agrees with what the clock was before: if not, nothing is planned by it, for now."""
        offset = wall - boot
        if self._offset is None or abs(offset - self._offset) < JUMP:
            news = None if self._elsewhere is None else "the wall clock is back where it was: planning goes on"
            self._offset, self._elsewhere = offset, None
            return _TRUSTED if news is None else Judgement(trusted=True, news=news)
        if self._elsewhere is None or abs(offset - self._elsewhere) >= JUMP:
            self._elsewhere, self._since = offset, boot
            return Judgement(trusted=False, news=_jumped(offset - self._offset))
        if boot - self._since < PATIENCE:
            return _HELD
        self._offset, self._elsewhere = offset, None
        return Judgement(trusted=True, news=f"the wall clock has stayed there for {PATIENCE:g}s: planning follows it")


def _jumped(seconds: float) -> str:
    way = "ahead" if seconds > 0 else "back"
    return (
        f"the wall clock has jumped {abs(seconds):.0f}s {way}: nothing is planned until it agrees with the time before, "
        f"or has stayed there for {PATIENCE:g}s"
    )
