"""Acquisitions in flight, and what they explain: a grant under our holder that is not held yet
(rule 6).
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ..model import Grant
from ..threads import drop

ANY_NAME = ""
"""In place of a name, where what is being acquired is not known beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Flight:
    """One acquisition under way, of ``name`` or of `ANY_NAME`; equal to itself alone."""

    name: str

    def explains(self, grant: Grant) -> bool:
        """Return whether this acquisition may have been granted it."""
        return self.name in (grant.name, ANY_NAME)


Explanations = Mapping[Grant, frozenset[Flight]]
"""The flights that may still adopt each grant that is not held; a grant without one is an orphan."""


def explanations(strangers: Collection[Grant], known: Explanations, under_way: AbstractSet[Flight]) -> Explanations:
    """Return what explains each of ``strangers``, which the database has and the client does not
    hold.

    Only a flight that was under way when the stranger was first seen (it is not in ``known`` yet)
    explains it, and only for as long as it lasts.
    """
    return {
        stranger: known[stranger] & under_way
        if stranger in known
        else frozenset(flight for flight in under_way if flight.explains(stranger))
        for stranger in strangers
    }


class Flights:
    """All acquisitions under way, and the strangers that they explain. `begin` and `end` may be called
    from any thread; others see a flight in each copy of those under way from its begin to its end.
    """

    def __init__(self) -> None:
        self._under_way: set[Flight] = set()
        self._names: dict[str, Flight] = {}
        self._explanations: Explanations = {}

    def begin(self, flight: Flight) -> None:
        """Record that its name (or `ANY_NAME`) is being acquired."""
        self._names[flight.name] = flight
        self._under_way.add(flight)

    def end(self, flight: Flight) -> None:
        """Record that this acquisition is over: what it was granted is adopted by now, or never."""
        self._under_way.discard(flight)
        drop(self._names, flight.name, flight)

    def under_way(self) -> frozenset[Flight]:
        """Return a copy of those that are under way now, made in one step."""
        return frozenset(self._under_way)

    def may_adopt(self, grant: Grant) -> bool:
        """Return whether a transaction of the program's own is under way, which may have been granted it."""
        return any(flight.name == ANY_NAME and flight.explains(grant) for flight in self.under_way())

    def acquire(self, name: str) -> bool:
        """Return whether an acquisition of this very name is under way."""
        return self._names.get(name) in self._under_way

    def orphans(self, strangers: Collection[Grant], under_way: AbstractSet[Flight]) -> list[Grant]:
        """Return those of all ``strangers`` that no flight explains.

        ``under_way`` must have been copied before the strangers were told from what is held: a flight
        that is not in it has adopted what it was granted, if anything, before it ended.
        """
        self._explanations = explanations(strangers, self._explanations, under_way)
        return [stranger for stranger, flights in self._explanations.items() if not flights]
