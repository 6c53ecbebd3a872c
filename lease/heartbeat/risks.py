"""The grants at risk that were told of, so that a log need not repeat itself with each failed attempt."""

from collections.abc import Callable, Sequence

from ..events import AtRisk, OutOfRisk
from ..grant_state import GrantState
from ..model import Grant

QUIET = 10.0
"""Seconds for which a risk that was told of is not news, unless a further grant is at risk."""


class Risks:
    """What is at risk since the last renewal of all, since when, and when that was last news."""

    def __init__(self, is_held: Callable[[Grant], bool]) -> None:
        self._is_held = is_held
        self._known: frozenset[Grant] = frozenset()
        self._since = self._told = 0.0

    def seen(self, states: Sequence[GrantState], cause: str, now: float) -> AtRisk | OutOfRisk | None:
        """Return the event about what is at risk at ``now``, by the client's clock; None if nothing is, and
        nothing was that is still held.
        """
        grants = tuple(state.grant for state in states)
        if not grants:
            return self._over(now)
        again = self._known.issuperset(grants) and now - self._told < QUIET
        if not self._known:
            self._since = now
        if not again:
            self._known, self._told = self._known.union(grants), now
        return AtRisk(grants, cause, min(state.remaining() for state in states), again)

    def _over(self, now: float) -> OutOfRisk | None:
        held = tuple(sorted((grant for grant in self._known if self._is_held(grant)), key=lambda grant: grant.name))
        self._known = frozenset()
        return OutOfRisk(held, now - self._since) if held else None
