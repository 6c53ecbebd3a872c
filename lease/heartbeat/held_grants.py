"""The grants that one client holds. They come and go from any thread; the heartbeat looks through copies."""

from collections.abc import Iterable

from ..grant_state import GrantState
from ..model import Grant
from ..threads import drop


class HeldGrants:
    """The states of what is held, by grant. Each method does its work in one step, so that no thread
    sees another one's half done.
    """

    def __init__(self) -> None:
        self._states: dict[Grant, GrantState] = {}
        self._names: dict[str, GrantState] = {}

    def __bool__(self) -> bool:
        return bool(self._states)

    def __contains__(self, grant: object) -> bool:
        return grant in self._states

    def add(self, state: GrantState) -> None:
        """Hold this grant from now on."""
        self._names[state.grant.name] = state
        self._states[state.grant] = state

    def remove(self, state: GrantState) -> None:
        """Hold it no longer."""
        self._states.pop(state.grant, None)
        drop(self._names, state.grant.name, state)

    def get(self, grant: Grant) -> GrantState | None:
        """Return the state of ``grant``, or None when it is not held."""
        return self._states.get(grant)

    def of(self, grants: Iterable[Grant]) -> list[GrantState]:
        """Return the states of those of ``grants`` that are held."""
        return [state for grant in grants if (state := self.get(grant)) is not None]

    def named(self, name: str) -> GrantState | None:
        """Return the state of what is held under ``name``, or None."""
        state = self._names.get(name)
        return state if state is not None and state.grant in self._states else None

    def all(self) -> list[GrantState]:
        """Return a copy: the states of all that is held now."""
        return list(self._states.values())
