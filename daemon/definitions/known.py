"""The definitions that a replica has, by the rows of the database in which they stand, and those of others that it has
met (rule 22).

In which rows is known when the replica has joined, and may change later: another one may bring definitions that
rename a schedule, or undo that.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from types import MappingProxyType

from .application import Application
from .schedule import Schedule
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
        self.redefine(run_digests, queues)

    def redefine(self, run_digests: Mapping[str, str], queues: Mapping[str, RunQueue]) -> None:
        """Have these definitions from now on, and meet the others anew."""
        self._run_digests = run_digests
        self._queues = queues
        self.queues = _sorted(queues.values())
        """The queues in which runs of its schedules wait, but for those that are left to others."""
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


class Rows(Mapping[str, Schedule]):
    """By the name of each row, the schedule under that name. For any thread."""

    def __init__(self, application: Application) -> None:
        self._defined = application
        self.application = application
        """The definitions under the names of their rows."""
        self._keys: Mapping[str, str] = {}
        self._names: Mapping[str, str] = {}
        self._ever: dict[str, tuple[Schedule, str, str]] = {}
        self._changed: list[Callable[[], None]] = []
        self._take(application)

    def __getitem__(self, key: str) -> Schedule:
        """Return a schedule; also by a row in which it stood before: a run of it may have just been claimed."""
        return self._ever[key][0]

    def __contains__(self, key: object) -> bool:
        """Return whether one stands in this row now."""
        return key in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def name(self, key: str) -> str:
        """Return what this replica calls the schedule in a row, otherwise the name of the row."""
        known = self._ever.get(key)
        return key if known is None else known[1]

    def run_digest(self, key: str) -> str:
        """Return the `Schedule.run_digest` of the schedule in a row."""
        return self._ever[key][2]

    def on_change(self, call: Callable[[], None]) -> None:
        """Call whenever one has come to stand in another row."""
        self._changed.append(call)

    def stand(self, keys: Mapping[str, str]) -> None:
        """Take in the rows of those that have another name than theirs, by their names."""
        if keys == self._keys:
            return
        self._keys = dict(keys)
        self._take(self._defined.keyed(keys))
        for call in self._changed:
            call()

    def _take(self, keyed: Application) -> None:
        names = [schedule.name for schedule in self._defined.schedules]
        self._ever |= {
            schedule.name: (schedule, name, keyed.run_digests[schedule.name])
            for schedule, name in zip(keyed.schedules, names, strict=True)
        }
        self._names = dict(zip((schedule.name for schedule in keyed.schedules), names, strict=True))
        self.application = keyed
