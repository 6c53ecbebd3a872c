"""The recent renewals of a heartbeat: when the last was confirmed, and what prevented the others
(rule 9).
"""

from collections.abc import Collection

from ..grant_state import GrantState
from ..model import Grant, LossKind, locked_cause, suspended_cause, unreachable_cause
from ..timing import LeaseTiming


class RenewalHistory:
    """The evidence for the cause of a loss. Times are by the client's clock."""

    def __init__(self, timing: LeaseTiming, now: float) -> None:
        self._timing = timing
        self._locked: frozenset[Grant] = frozenset()
        self._error: str | None = None
        self._starved = 0.0
        self._confirmed = now

    def confirmed(self, sent: float, locked: Collection[Grant] = ()) -> None:
        """Record that the database answered what was sent at ``sent``; the rows of ``locked`` were
        not renewed.
        """
        self._confirmed, self._starved, self._error = sent, 0.0, None
        self._locked = frozenset(locked)

    def failed(self, error: str) -> None:
        """Record why a renewal failed."""
        self._error = error

    def stalled(self, seconds: float) -> None:
        """Record that this process did not run for so many seconds."""
        self._starved += seconds

    def cause(self, state: GrantState, now: float) -> tuple[LossKind, str]:
        """Return why the trust in this grant ended without a renewal."""
        if self._starved > (self._timing.give_up - self._timing.renew_every) / 2:
            return LossKind.SUSPENDED, suspended_cause(self._starved)
        if state.grant in self._locked:
            since = now - state.trusted_until + self._timing.give_up
            return LossKind.UNREACHABLE, locked_cause(since)
        return LossKind.UNREACHABLE, unreachable_cause(now - self._confirmed, self._error)
