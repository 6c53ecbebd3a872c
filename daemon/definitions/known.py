"""The definitions that a replica has, and those of others that it has met (rule 22)."""

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from types import MappingProxyType

from .values.queues import RunQueue


class Known:
    """The definitions that a replica has, given as the `Schedule.run_digest` of each schedule, and the
    `Schedule.queue` of those that have one.

    There may be twenty thousand of them, and of others there are usually none. So a search for work
    does not name its own: it leaves out the others, asks `is_strange` of what it finds all the same,
    lets `meet` take in what there is of that kind, and searches again. For any thread.
    """

    def __init__(self, run_digests: Mapping[str, str], queues: Mapping[str, RunQueue] = MappingProxyType({})) -> None:
        self.left: frozenset[str] = frozenset()
        """The digests of its own whose runs are left to others for now."""
        self.queues: Collection[RunQueue] = ()
        """The queues in which runs of its schedules wait, but for those that are left to others."""
        self.redefine(run_digests, queues)

    def redefine(self, run_digests: Mapping[str, str], queues: Mapping[str, RunQueue]) -> None:
        """Have these definitions from now on, and meet the others anew."""
        self._run_digests = run_digests
        self._queues = queues
        self.queues = _sorted(queues.values())
        self._own = frozenset(run_digests.values())
        self._others = _Others()

    @property
    def schedules(self) -> Collection[str]:
        """The names of its schedules."""
        return self._run_digests.keys()

    @property
    def other_digests(self) -> list[str]:
        """The run digests to leave out."""
        return [*self._others.digests, *self.left]

    @property
    def other_schedules(self) -> list[str]:
        """The names of the schedules to leave out."""
        return [*self._others.schedules]

    def but(self, schedules: Collection[str]) -> "Known":
        """Return it without these schedules, whose runs are left to others for now. What one of the two
        meets, the other has met.
        """
        if not schedules:
            return self
        known = copy(self)
        known.left = frozenset(self._run_digests[name] for name in schedules if name in self._run_digests)
        known.queues = _sorted(queue for name, queue in self._queues.items() if name not in schedules)
        return known

    def is_strange(self, digests: Iterable[str | None] = (), schedules: Iterable[str | None] = ()) -> bool:
        """Return whether one of these, but for None, is not of its own."""
        return not (self._own.issuperset(_given(digests)) and self._run_digests.keys() >= _given(schedules))

    def meet(self, digests: Iterable[str | None] = (), schedules: Iterable[str | None] = ()) -> None:
        """Leave out from now on which of these are not of its own."""
        self._others.digests |= _given(digests) - self._own
        self._others.schedules |= _given(schedules) - self._run_digests.keys()


class _Others:
    """The definitions of others that were met, shared by a `Known` and all that `but` makes of it."""

    def __init__(self) -> None:
        self.digests: frozenset[str] = frozenset()
        self.schedules: frozenset[str] = frozenset()


def _given(names: Iterable[str | None]) -> frozenset[str]:
    return frozenset(name for name in names if name is not None)


def _sorted(queues: Iterable[RunQueue]) -> Collection[RunQueue]:
    return sorted(set(queues), key=lambda queue: queue.name)
