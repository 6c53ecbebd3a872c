"""An application: all that one FILE defines."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import DefinitionError, Mistakes, Place
from ..text import counted, suggestion
from .definition import sha256_of
from .schedule import Schedule
from .values.queues import RunQueue
from .values.refusal import refused_at
from .values.strings import check_name, refuse_large, refuse_like_an_option, refuse_twice

LONGEST_NAMES = 255 - len("run///") - len(str(2**63))
"""The most characters of an application's and a schedule's name together, so that the lease of a run fits (rule 14)."""


@dataclass(frozen=True)
class Application:
    """All that one FILE defines."""

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
        """The `Schedule.digest` of each schedule, by its name."""
        return {schedule.name: schedule.digest() for schedule in self.schedules}

    @cached_property
    def run_digests(self) -> Mapping[str, str]:
        """The `Schedule.run_digest` of each schedule, by its name."""
        return {schedule.name: schedule.run_digest() for schedule in self.schedules}

    @cached_property
    def queues(self) -> Mapping[str, RunQueue]:
        """The `Schedule.queue` of each schedule that has one, by its name."""
        return {schedule.name: queue for schedule in self.schedules if (queue := schedule.queue) is not None}

    def keyed(self, keys: Mapping[str, str]) -> "Application":
        """Return it as the database has it: a schedule of ``keys`` has the name of the row that it stands in, which is
        the first that it ever had.
        """
        if not keys:
            return self
        return replace(self, schedules=tuple(one.keyed(keys.get(one.name, one.name)) for one in self.schedules))

    def revised(self, revision: int | None) -> "Application":
        """Return it with this revision, if that is given; otherwise as it is. Raises `DefinitionError` if it requires one
        and has none.
        """
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
    """Return an application, whose schedules have jobs and own names; raises `DefinitionError`."""
    made, mistakes, application = tuple(schedules), Mistakes(), ""
    with mistakes, refused_at(place):
        application = check_name("application", name)
    with mistakes, refused_at(place):
        refuse_twice("schedule", [schedule.name for schedule in made])
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
            refuse_twice("job", [job.name for job in schedule.jobs])
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
