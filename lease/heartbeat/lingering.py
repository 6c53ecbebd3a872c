"""Lost grants under which work may still go on: they are left alone until the work or the ttl has
ended.
"""

from typing import assert_never

from ..clock import Clock
from ..grant_state import GrantState
from ..model import Grant, LossKind
from ..timing import LeaseTiming


class Lingering:
    """How long each lost grant is left alone. Released earlier, its name could go to another client
    while the work goes on.
    """

    def __init__(self, timing: LeaseTiming, clock: Clock) -> None:
        self._timing = timing
        self._clock = clock
        self._until: dict[Grant, float] = {}

    def add(self, state: GrantState, kind: LossKind) -> None:
        """Leave this lost grant alone until it is stale; from then on another client could have it
        anyway.
        """
        match kind:
            case LossKind.ENDED | LossKind.BROKEN:
                return  # the database has it no more
            case LossKind.UNREACHABLE | LossKind.SUSPENDED | LossKind.CLOSED:
                pass
            case _:
                assert_never(kind)
        now, timing = self._clock(), self._timing
        while self._until and (oldest := next(iter(self._until))) not in self:
            del self._until[oldest]
        stale = state.trusted_until - timing.give_up + timing.ttl
        self._until[state.grant] = max(stale, now + timing.kill_time)

    def drop(self, grant: Grant) -> bool:
        """Forget a grant whose work has ended; False when it was not here."""
        return self._until.pop(grant, None) is not None

    @property
    def grants(self) -> list[Grant]:
        """All that is left alone now."""
        return [grant for grant in self._until if grant in self]

    def __contains__(self, grant: Grant) -> bool:
        return self._clock() < self._until.get(grant, 0.0)
