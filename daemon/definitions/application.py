"""An application: all that one FILE defines; and what a replica knows of it: in which rows of the database its
definitions stand, and which of others it has met (rule 22).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import DefinitionError, Mistakes, Place
from ..text import counted, suggestion
from .definition import sha256_of
from .schedule import Schedule
from .values.queues import RunQueue
from .values.refusal import refused_at
from .values.strings import check_name, refuse_large, refuse_like_an_option, refuse_taken

LONGEST_NAMES = 255 - len("run///") - len(str(2**63))
"""The most characters of an application's and a schedule's name together, so that the lease of a run fits (rule 14)."""


@dataclass(frozen=True)
class Application:
    name: str
    source: Path
    """The file; its folder is where children run unless a job says otherwise."""
    schedules: tuple[Schedule, ...]
    spec: str = ""
    """FILE in a form that `load` takes in any working directory, as a child needs it."""
    stamp: str = ""
    """What the file system said of FILE when it was loaded; another stamp: it was written since."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`[settings]` of a TOML file, as they were read."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What was given for all schedules and jobs, fit for JSON. They have it; it is here to be shown."""
    revision: int | None = None
    """What orders these definitions among others of the application (rule 21). It is no part of them."""
    require_revision: bool = False
    """Its runs belong to the replicas of the highest revision of which one is ready (rule 22)."""
    on_fact: Callable[[Any], object] | None = field(default=None, compare=False)
    """Called with each fact of the replica, in addition to its log."""
    release: str | None = None
    """Which code this is: a commit or an image, as it was given, or a hash of what was loaded. Releases have no order."""

    @cached_property
    def digest(self) -> str:
        """A SHA-256 that says which definitions these are: of all that is stored of them but the folders,
        which may differ from host to host as the values of `env` may.
        """
        return sha256_of(sorted(self.shared.values(), key=lambda one: str(one["name"])))

    @cached_property
    def checked_digest(self) -> str:
        """A SHA-256 of all that a replica goes by of FILE: its definitions, and what orders them."""
        return sha256_of([self.digest, self.revision, self.require_revision])

    @property
    def shared(self) -> Mapping[str, Mapping[str, Any]]:
        """All that is stored of each schedule but what may differ from host to host, by its name."""
        return {
            schedule.name: {**schedule.canonical(), "jobs": [job.executed() for job in schedule.jobs]}
            for schedule in self.schedules
        }

    def fingerprints(self, keys: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
        """Return, by schedule, its `Schedule.run_digest` in the row that it stands in by ``keys``, and a digest of all
        of it that is `shared`: what other generations are compared by.
        """
        run_digests = self.keyed(keys).run_digests
        return {name: (run_digests[keys.get(name, name)], sha256_of(whole)) for name, whole in self.shared.items()}

    @cached_property
    def digests(self) -> Mapping[str, str]:
        return {schedule.name: schedule.digest for schedule in self.schedules}

    @cached_property
    def run_digests(self) -> Mapping[str, str]:
        return {schedule.name: schedule.run_digest() for schedule in self.schedules}

    @cached_property
    def queues(self) -> Mapping[str, RunQueue]:
        """The `Schedule.queue` of each schedule that has one, by its name."""
        return {schedule.name: queue for schedule in self.schedules if (queue := schedule.queue) is not None}

    def keyed(self, keys: Mapping[str, str]) -> "Application":
        """Return it as the database has it: a schedule of ``keys`` has the name of its row, the first that it ever had."""
        if not keys:
            return self
        return replace(self, schedules=tuple(one.keyed(keys.get(one.name, one.name)) for one in self.schedules))

    def revised(self, revision: int | None) -> "Application":
        """Return it with this revision, if that is given; raises `DefinitionError` if it requires one and has none."""
        revised = self if revision is None else replace(self, revision=revision)
        if revised.require_revision and revised.revision is None:
            place = Place(source=self.spec or str(self.source), field="require_revision")
            problem = "it is set, but these definitions have no revision"
            raise DefinitionError(place, problem, "also write revision = N, or give LEASED_REVISION or --revision")
        return revised

    def schedule(self, name: str) -> Schedule:
        """Return a schedule; raises `DefinitionError` if there is none of this name."""
        for schedule in self.schedules:
            if schedule.name == name:
                return schedule
        place = Place(source=self.spec or str(self.source))
        names = [schedule.name for schedule in self.schedules]
        raise DefinitionError(place, f'there is no schedule "{name}"', suggestion(name, names))


def make_application(name: object, schedules: Iterable[Schedule], place: Place, **others: Any) -> Application:
    """Return an application, whose schedules, each of its own name, have jobs; raises `DefinitionError`."""
    made, mistakes, application = tuple(schedules), Mistakes(), ""
    with mistakes, refused_at(place):
        application = check_name("application", name)
    if application and not made:
        raise DefinitionError(place, f'the application "{application}" has no schedule', "add one")
    for schedule in made:
        own = replace(place, schedule=schedule.name)
        with mistakes, refused_at(own):
            if not schedule.jobs:
                raise DefinitionError(own, "it has no job", "add a function or a command")
            refuse_like_an_option("schedule", schedule.name, f'; was = "{schedule.name}" keeps its history')
            for job in schedule.jobs:
                refuse_like_an_option("job", job.name)
            names: set[str] = set()
            for job in schedule.jobs:
                refuse_taken("job", job.name, names)
                names.add(job.name)
            refuse_large(schedule.params)
            if len(application) + len(schedule.name) > LONGEST_NAMES:
                problem = f'its name and that of the application "{application}" are too long'
                remedy = f"together they name a lease, which has at most {LONGEST_NAMES} characters"
                raise DefinitionError(own, problem, remedy)
    with mistakes:
        _refuse_other_slots(made, place)
    with mistakes:
        _refuse_ambiguous_names(made, place)
    mistakes.refuse()
    return Application(name=application, schedules=made, **others)


def _refuse_other_slots(schedules: Iterable[Schedule], place: Place) -> None:
    """Raise `DefinitionError` if schedules share a lock, and say differently how many slots it has."""
    first: dict[str, tuple[str, int]] = {}
    for schedule in schedules:
        if (lock := schedule.lock) is None:
            continue
        name, slots = first.setdefault(lock.name, (schedule.name, lock.slots))
        if slots != lock.slots:
            own = replace(place, schedule=schedule.name, field="lock")
            here, there = counted(lock.slots, "slot"), counted(slots, "slot")
            problem = f'the lock "{lock.name}" has {here} here, and {there} in "{name}"'
            raise DefinitionError(own, problem, "write the same number in both")


def _refuse_ambiguous_names(schedules: Iterable[Schedule], place: Place) -> None:
    """Raise `DefinitionError` if a former name is still that of a schedule, or was that of two."""
    named = {schedule.name for schedule in schedules}
    first: dict[str, str] = {}
    for schedule in schedules:
        own = replace(place, schedule=schedule.name, field="was")
        for name in schedule.was:
            if name in named:
                remedy = "only one schedule can take over a name: rename that one too, or leave it out here"
                raise DefinitionError(own, f'there is still a schedule "{name}"', remedy)
            if (other := first.setdefault(name, schedule.name)) != schedule.name:
                remedy = "keep it only on the schedule that takes over its history"
                raise DefinitionError(own, f'"{other}" also has was = "{name}"', remedy)


# What a replica knows of it


class Known:
    """The definitions that a replica has, given as the `Schedule.run_digest` of each schedule, and the
    `Schedule.queue` of those that have one.

    There may be twenty thousand of them, and of others there are usually none. So a search for work
    does not name its own: it leaves out the others, lets `meet` take in what it finds all the same and
    what else there is of that kind, and searches again. For any thread.
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
        self._met_digests: set[str] = set()
        self._met_schedules: set[str] = set()
        """Those of others that were met, shared with all that `but` makes of it."""

    @property
    def schedules(self) -> Collection[str]:
        return self._run_digests.keys()

    @property
    def other_digests(self) -> list[str]:
        return [*self._met_digests, *self.left]

    @property
    def other_schedules(self) -> list[str]:
        return [*self._met_schedules]

    def but(self, schedules: Collection[str]) -> "Known":
        """Return it without these schedules, whose runs are left to others for now; what one meets, both have met."""
        if not schedules:
            return self
        known = copy(self)
        known.left = frozenset(self._run_digests[name] for name in schedules if name in self._run_digests)
        known.queues = _sorted(queue for name, queue in self._queues.items() if name not in schedules)
        return known

    def meet(self, digests: Iterable[str | None] = (), schedules: Iterable[str | None] = ()) -> bool:
        """Leave out from now on which of these, but for None, are not of its own; return whether one is not."""
        strange_digests = {digest for digest in digests if digest is not None} - self._own
        strange_schedules = {name for name in schedules if name is not None} - self._run_digests.keys()
        self._met_digests.update(strange_digests)
        self._met_schedules.update(strange_schedules)
        return bool(strange_digests or strange_schedules)


def _sorted(queues: Iterable[RunQueue]) -> Collection[RunQueue]:
    return sorted(set(queues), key=lambda queue: queue.name)


class Rows(Mapping[str, Schedule]):
    """By the name of each row, the schedule under that name. For any thread.

    In which rows is known when the replica has joined, and may change later: another one may bring definitions that
    rename a schedule, or undo that.
    """

    def __init__(self, application: Application) -> None:
        self._defined = application
        self.application = application
        """The definitions under the names of their rows."""
        self._keys: Mapping[str, str] = {}
        self._names: Mapping[str, str] = {}
        self._ever: dict[str, tuple[Schedule, str, str]] = {}
        self.changed: list[Callable[[], None]] = []
        """Called whenever one has come to stand in another row."""
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
        return self._ever[key][2]

    def stand(self, keys: Mapping[str, str]) -> None:
        """Take in the rows of those that have another name than theirs, by their names."""
        if keys == self._keys:
            return
        self._keys = dict(keys)
        self._take(self._defined.keyed(keys))
        for call in self.changed:
            call()

    def _take(self, keyed: Application) -> None:
        pairs = list(zip(keyed.schedules, self._defined.schedules, strict=True))
        self._ever |= {one.name: (one, defined.name, keyed.run_digests[one.name]) for one, defined in pairs}
        self._names = {one.name: defined.name for one, defined in pairs}
        self.application = keyed
