"""The schedules of a replica by the rows of the database in which they stand.

That is known when the replica has joined, and may change later: another one may bring definitions that
rename a schedule, or undo that.
"""

from collections.abc import Callable, Iterator, Mapping

from .application import Application
from .schedule import Schedule


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
        """Yield the names of the rows."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return how many schedules there are."""
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
