"""What a Python file says is to run and when: the part of `Schedules` that needs no database; and the mistakes in it:
raised where they are made, or all collected while `load` runs the file once more.
"""

import atexit
import hashlib
import inspect
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, Unpack, overload

from lease.durations import Duration

from ...errors import DaemonError, DefinitionError, Mistakes, Place
from ..application import Application, make_application
from ..defaults import Defaults, read_defaults
from ..definition import read
from ..schedule import Job, Schedule
from ..values.calendars import Calendars, read_calendars
from ..values.refusal import Refusal, refused_at, shown
from ..values.strings import check_name, check_required, check_revision, refuse_taken
from ..values.work import plain
from .keywords import DefaultKeywords, JobKeywords, ScheduleKeywords

Function = TypeVar("Function", bound=Callable[..., Any])

_ELSEWHERE: Mapping[str, Refusal] = {
    **{
        key: Refusal("this is a setting of a job", "give it to .job() or .command() of the schedule")
        for key in Job.settings()
    },
    "slots": Refusal("this is a setting of a lock", 'write lock={"name": "…", "slots": …}'),
}
"""Settings that were given to a schedule and belong elsewhere."""
_EXAMPLES = {"cron": '.cron("*/5 * * * *")', "every": '.every("10m")', "at": '.at("2026-07-01T02:00:00Z")'}


class NamedJobKeywords(JobKeywords, total=False):
    """The settings of a job that may have another name than its function."""

    name: str | None


class SingleKeywords(ScheduleKeywords, NamedJobKeywords, total=False):
    """The settings of a schedule with one job."""


class ScheduleSet:
    """The schedules of one application, as they are added; people write `daemon.Schedules`, which is one."""

    def __init__(
        self,
        name: str,
        *,
        revision: int | None = None,
        require_revision: bool = False,
        calendars: Mapping[str, Iterable[str | date]] | None = None,
        on_fact: Callable[[Any], object] | None = None,
        **defaults: Unpack[DefaultKeywords],
    ) -> None:
        self.name, self.revision, self.require_revision = "unnamed", revision, require_revision
        self.on_fact, self._calendars, self._defaults = on_fact, Calendars(known=False), Defaults()
        with into.get(), refused_at(Place()):
            self.name = check_name("application", name)
        with into.get(), refused_at(Place(field="revision")):
            self.revision = None if revision is None else check_revision(revision)
        with into.get(), refused_at(Place(field="require_revision")):
            self.require_revision = check_required(require_revision)
        with into.get(), refused_at(Place(field="on_fact")):
            subscriber: object = on_fact
            if subscriber is not None and not callable(subscriber):
                raise Refusal(f"{shown(subscriber)} cannot be called", "give a function that takes a fact")
            if inspect.iscoroutinefunction(subscriber):
                problem = f"{shown(subscriber)} is async, and nothing would await it"
                raise Refusal(problem, "give a function that is not async")
        with into.get():
            given: object = {} if calendars is None else calendars
            how = 'give calendars={"NAME": [...]} to Schedules'
            if not isinstance(given, Mapping):
                problem = f"{shown(given)} is not a table of names and days"
                raise DefinitionError(Place(field="calendars"), problem, how)
            self._calendars = read_calendars(given, Place(), how)
        with into.get():
            self._defaults = read_defaults(
                self._calendars.resolved(defaults, Place()),
                Place(),
                of_schedule="give it to .cron(), .every(), .at(), .on_request() or .add()",
                of_job="give it to .job() or .command() of a schedule",
                others=("revision", "require_revision", "calendars", "on_fact"),
            )
        self._builders: dict[str, ScheduleBuilder] = {}

    def cron(self, expression: str, /, **settings: Unpack[SingleKeywords]) -> Callable[[Function], Function]:
        """Run the decorated function at the times of a cron expression: 5 fields, or 6 with seconds first."""
        return self._single("cron", expression, settings)

    def every(self, interval: Duration, /, **settings: Unpack[SingleKeywords]) -> Callable[[Function], Function]:
        """Run the decorated function at an interval of elapsed time: ``"10m"``, or a number of seconds."""
        return self._single("every", interval, settings)

    def at(self, instant: Any, /, **settings: Unpack[SingleKeywords]) -> Callable[[Function], Function]:
        """Run the decorated function once, at an RFC 3339 time or a `datetime` with a time zone."""
        return self._single("at", instant, settings)

    def on_request(self, bare: None = None, /, **settings: Unpack[SingleKeywords]) -> Callable[[Function], Function]:
        """Run the decorated function only if `leased trigger` or a program requests a run."""
        return self._single("on_request", True if bare is None else bare, settings)

    def add(
        self,
        name: str,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        at: Any = None,
        on_request: bool = False,
        **settings: Unpack[ScheduleKeywords],
    ) -> "ScheduleBuilder":
        """Add a schedule of several jobs: add them in order with ``.job()`` and ``.command()`` of the result.

        Set exactly one of ``cron``, ``every``, ``at`` and ``on_request``.
        """
        given = {"cron": cron, "every": every, "at": at, "on_request": on_request, **settings}
        builder = ScheduleBuilder(Schedule.model_construct(name=name), self._defaults)  # while mistakes are collected
        with into.get():
            builder = self._read(name, given, misplaced=_ELSEWHERE)
            self._append(builder)
        return builder

    def application(self, source: Path | None = None, spec: str = "") -> Application:
        """Return what is defined; raises `DefinitionError` for a schedule without a job."""
        self.use()
        wrong = into.get().schedules
        schedules = [builder.schedule() for builder in self._builders.values() if builder.name not in wrong]
        others: dict[str, Any] = {"source": source or Path(), "spec": spec, "defaults": self._defaults.shown}
        others |= {"revision": self.revision, "require_revision": self.require_revision, "on_fact": self.on_fact}
        if wrong and not schedules:
            return Application(name=self.name, schedules=(), **others)
        return make_application(self.name, schedules, Place(), **others)

    @property
    def names(self) -> list[str]:
        """The names of the schedules that are defined so far."""
        return list(self._builders)

    @staticmethod
    def use() -> None:
        """Note that the program does something with schedules."""
        global _is_used  # noqa: PLW0603 - of the program, in which one file may be two modules
        _is_used = True

    def _single(self, kind: str, when: object, settings: Mapping[str, Any]) -> Callable[[Function], Function]:
        if callable(when):  # it is the function: the decorator has no parentheses
            with into.get():
                name = _name_of(when, {}, Place())
                lacks = f"of {name} has no parentheses" if kind == "on_request" else f"does not say when {name} is due"
                how = f"write it with parentheses: {_EXAMPLES.get(kind, f'.{kind}()')}"
                raise DefinitionError(Place(), f"the decorator .{kind} {lacks}", how)

        def register(function: Function) -> Function:
            with into.get():
                self._define(function, {kind: when}, settings)
            return function

        return register

    def _define(self, function: object, trigger: Mapping[str, object], settings: Mapping[str, Any]) -> None:
        name, of_job = _name_of(function, settings, Place()), Job.settings()
        for_job = {setting: value for setting, value in settings.items() if setting in of_job}
        rest = {setting: value for setting, value in settings.items() if setting not in (*of_job, "name")}
        builder = ScheduleBuilder(Schedule.model_construct(name=name), self._defaults)
        mistakes = Mistakes()
        with mistakes:
            builder = self._read(name, {**trigger, **rest}, others=(*of_job, "name"))
        with mistakes:
            builder.add(name, for_job, function=function)
        mistakes.refuse()
        self._append(builder)

    def _read(self, name: object, given: Mapping[str, Any], **how: Any) -> "ScheduleBuilder":
        """Return the builder of a schedule without jobs; raises `DefinitionError`."""
        given = self._calendars.resolved(given, Place(schedule=name if isinstance(name, str) else None))
        bare = read(Schedule, name, self._defaults.of_schedule(given), Place(), **how)
        return ScheduleBuilder(bare, self._defaults)

    def _append(self, builder: "ScheduleBuilder") -> None:
        with refused_at(Place()):
            refuse_taken("schedule", builder.name, self._builders)
        self._builders[builder.name] = builder


class ScheduleBuilder:
    """A schedule to which you add jobs, from `Schedules.add`."""

    def __init__(self, bare: Schedule, defaults: Defaults) -> None:
        self.name = bare.name
        self._bare = bare
        self._defaults = defaults
        self._jobs: dict[str, Job] = {}

    @overload
    def job(self, function: Function, /) -> Function: ...
    @overload
    def job(self, **settings: Unpack[NamedJobKeywords]) -> Callable[[Function], Function]: ...

    def job(self, function: Any = None, /, **settings: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack in an overload
        """Add the decorated function as the next job, named after the function unless you give ``name``."""
        for_job = {field: value for field, value in settings.items() if field != "name"}

        def register(function: Function) -> Function:
            name = _name_of(function, settings, Place(schedule=self.name))
            self.add(name, for_job, others=("name",), function=function)
            return function

        return register if function is None else register(function)

    def command(self, name: str, command: str | Sequence[str], /, **settings: Unpack[JobKeywords]) -> None:
        """Add a command as the next job: a list runs directly, a string in ``/bin/sh -c``."""
        self.add(name, settings, command=command)

    def schedule(self) -> Schedule:
        """Return the schedule with the jobs that it has so far."""
        return self._bare.model_copy(update={"jobs": tuple(self._jobs.values())})

    def add(self, name: str, settings: Mapping[str, Any], *, others: Sequence[str] = (), **work: Any) -> None:
        """Add the next job, whose ``work`` is a function or a command; raises `DefinitionError`."""
        place = Place(schedule=self.name)
        with into.get():
            settings = self._defaults.of_job(settings, work.get("function"))
            job = read(Job, name, settings, place, others=others, **work)
            with refused_at(place):
                refuse_taken("job", job.name, self._jobs)
            self._jobs[job.name] = job


def _name_of(function: object, settings: Mapping[str, Any], place: Place) -> str:
    if settings.get("name") is not None:
        return str(settings["name"])
    name = getattr(plain(function), "__name__", "")
    if not name or name == "<lambda>":
        raise DefinitionError(place, f"{function!r} has no name of its own", 'give one: name="…"')
    return str(name).replace("_", "-")


# The mistakes in it


class AtOnce(Mistakes):
    """Collects nothing: each mistake is raised where it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.had_one = False

    def note(self, error: DaemonError) -> bool:
        """Return that the error is to be raised."""
        del error
        self.had_one = True
        return False

    @property
    def schedules(self) -> set[str | None]:
        """The schedules that have one."""
        return {error.place.schedule for error in self.found if isinstance(error, DefinitionError)}


class InFile(AtOnce):
    """Collects the mistakes in FILE, each with its line."""

    def __init__(self, spec: str) -> None:
        super().__init__()
        self._spec = spec
        self._file = str(Path(spec if spec.endswith(".py") else spec.rpartition(":")[0]).resolve())

    def note(self, error: DaemonError) -> bool:
        """Keep the error; return that its code goes on."""
        lines = [frame.lineno for frame in traceback.extract_stack() if frame.filename == self._file]
        if isinstance(error, DefinitionError):
            error = error.found_in(self._spec, lines[-1] if lines else None)
        return Mistakes.note(self, error)


into: ContextVar[AtOnce] = ContextVar("into", default=AtOnce())  # noqa: B039 - it collects nothing
"""The collector that takes the mistakes in definitions now."""


# The code that it is

_OURS = frozenset({"daemon", "lease", "leased", "__main__"})
_OF_THE_HOST = frozenset({"sitecustomize", "usercustomize"})
"""What an interpreter imports by itself, and a distribution keeps outside of the standard library."""
_OF_PACKAGES = frozenset({"site-packages", "dist-packages"})
_SHOWN = 12
_HEADER_OF_COMPILED = 16
"""Bytes: a time is in them."""


def hash_of_code(application: Application) -> str:
    """Return the same text for the same contents, on every host and whenever they were written: of FILE, and of each
    module that has been imported by now. Modules of the standard library and of installed packages are left out, but for
    the packages that have FILE itself or one of its functions.
    """
    source = application.source.resolve()
    files = sorted(_files(), key=lambda found: found[0])
    own = {name.partition(".")[0] for name in modules_of_functions(application)}
    own |= {name.partition(".")[0] for name, file, _ in files if file == source}
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    of_others = {Path(folder).resolve() for folder in folders}
    digest = hashlib.sha256(_contents(source, None))
    for name, file, module in files:
        is_of_others = not _OF_PACKAGES.isdisjoint(file.parts) or not of_others.isdisjoint(file.parents)
        if file != source and (name.partition(".")[0] in own or not is_of_others):
            digest.update(f"\n{name}\n".encode())
            digest.update(hashlib.sha256(_contents(file, module)).digest())
    return f"sha256:{digest.hexdigest()[:_SHOWN]}"


def modules_of_functions(application: Application) -> set[str]:
    """Return the names of the modules that have jobs; what `exec` has made may say of none."""
    functions = (job.function for schedule in application.schedules for job in schedule.jobs)
    return {name for function in functions if isinstance(name := getattr(function, "__module__", None), str)}


def _files() -> Iterator[tuple[str, Path, ModuleType]]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name.partition(".")[0] not in _OURS | _OF_THE_HOST:
            yield name, Path(file).resolve(), module


def _contents(file: Path, module: ModuleType | None) -> bytes:
    """Return what a file holds, or a module in an archive; nothing of one that is gone."""
    try:
        found = file.read_bytes()
    except OSError:
        try:
            found = module.__loader__.get_data(str(file))  # type: ignore[union-attr]  # one without it is caught
        except (AttributeError, OSError):
            return b""
    return found[_HEADER_OF_COMPILED:] if file.suffix == ".pyc" else found


# A file that only defines schedules, and is run

_MAIN = getattr(sys.modules.get("__main__"), "__file__", None)
"""The file that runs; at its end its module may not say any more."""


_is_used = False


def _hint() -> None:
    """Write to a terminal how schedules are run, if this program is a file that only defines some."""
    has_others = "multiprocessing" in sys.modules  # processes that may use them
    if _MAIN is None or _is_used or has_others or sys.flags.interactive or hasattr(sys, "last_type"):
        return
    with suppress(Exception):  # the program has ended, and well
        defined = [one for one in vars(sys.modules["__main__"]).values() if isinstance(one, ScheduleSet)]
        if sys.stderr.isatty() and any(one.names for one in defined):
            file = os.path.relpath(_MAIN)
            sys.stderr.write(f"leased: this only defines schedules; run them with: leased run {file}\n")


atexit.register(_hint)
