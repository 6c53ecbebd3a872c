"""The grants at risk that were told of, so that a log need not repeat itself with each failed attempt."""

from collections.abc import Sequence

from ..events import AtRisk
from ..grant_state import GrantState
from ..model import Grant

QUIET = 10.0
"""Seconds for which a risk that was told of is not news, unless a further grant is at risk."""


class Risks:
    """What is at risk since the last renewal of all, and when that was last news."""

    def __init__(self) -> None:
        self._known: frozenset[Grant] = frozenset()
        self._told = 0.0

    def seen(self, states: Sequence[GrantState], cause: str, now: float) -> AtRisk | None:
        """Return the event about what is at risk at ``now``, by the client's clock; None if nothing is."""
        grants = tuple(state.grant for state in states)
        if not grants:
            self._known = frozenset()
            return None
        again = self._known.issuperset(grants) and now - self._told < QUIET
        if not again:
            self._known, self._told = self._known.union(grants), now
        return AtRisk(grants, cause, min(state.remaining() for state in states), again)
