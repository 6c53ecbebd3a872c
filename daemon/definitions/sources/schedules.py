"""`Schedules`: what a Python file says is to run, and when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict, TypeVar, Unpack, overload

from lease.durations import Duration

from ...errors import DefinitionError, NotYet, Place
from ..job_settings import JOB_SETTINGS, make_job
from ..model import Application, CatchUp, Job, OnFailure, Overlap, Schedule
from ..names import check_name, refuse_twice
from ..schedule_settings import make_application, make_schedule

Function = TypeVar("Function", bound=Callable[..., Any])


class JobSettings(TypedDict, total=False):
    """The settings of a job; see the reference."""

    timeout: Duration | None
    retries: int
    backoff: Duration
    isolation: Literal["task", "process"]
    cwd: str | None
    env: Mapping[str, str]


class NamedJobSettings(JobSettings, total=False):
    """The settings of a job that is not to be named after its function."""

    name: str | None


class ScheduleSettings(TypedDict, total=False):
    """The settings of a schedule apart from when it is due; see the reference."""

    timezone: str
    starts: Any
    ends: Any
    catch_up: CatchUp
    start_within: Duration | None
    overlap: Overlap
    lock: str | None
    on_failure: OnFailure
    jitter: Duration
    params: Mapping[str, Any]
    enabled: bool
    description: str
    tags: Sequence[str]


class SingleSettings(ScheduleSettings, NamedJobSettings, total=False):
    """The settings of a schedule with one job."""


class Schedules:
    """The schedules of one application, under its name. Each refusal is a `DefinitionError` at once, where it stands."""

    def __init__(self, name: str) -> None:
        self.name = check_name("an application", name, Place(), slash=False)
        self._builders: list[ScheduleBuilder] = []

    def cron(self, expression: str, /, **settings: Unpack[SingleSettings]) -> Callable[[Function], Function]:
        """Run the decorated function by a cron expression of 5 fields, or 6 with seconds first."""
        return self._single({"cron": expression}, settings)

    def every(self, interval: Duration, /, **settings: Unpack[SingleSettings]) -> Callable[[Function], Function]:
        """Run the decorated function at an interval of elapsed time."""
        return self._single({"every": interval}, settings)

    def at(self, instant: Any, /, **settings: Unpack[SingleSettings]) -> Callable[[Function], Function]:
        """Run the decorated function once, at an RFC 3339 instant or a `datetime` with a time zone."""
        return self._single({"at": instant}, settings)

    def add(
        self,
        name: str,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        at: Any = None,
        **settings: Unpack[ScheduleSettings],
    ) -> "ScheduleBuilder":
        """Add a schedule, whose jobs are added to what this returns, in their order."""
        given = {"cron": cron, "every": every, "at": at, **settings}
        builder = ScheduleBuilder(make_schedule(name, given, (), Place()))
        self._append(builder)
        return builder

    def application(self, source: Path | None = None, spec: str = "") -> Application:
        """Return what has been defined; raises `DefinitionError` for a schedule without a job."""
        schedules = [builder.schedule() for builder in self._builders]
        return make_application(self.name, schedules, Place(), source=source or Path(), spec=spec)

    def replica(self, url: str, /, **settings: Any) -> NoReturn:
        """Refuse: a replica inside another program is not there yet."""
        del url, settings
        raise NotYet("schedules.replica() does not exist yet; run the file with: leased run FILE")

    def _single(self, trigger: Mapping[str, object], settings: Mapping[str, Any]) -> Callable[[Function], Function]:
        def register(function: Function) -> Function:
            name = _name_of(function, settings, Place())
            for_job = {field: value for field, value in settings.items() if field in JOB_SETTINGS}
            rest = {field: value for field, value in settings.items() if field not in (*JOB_SETTINGS, "name")}
            builder = ScheduleBuilder(make_schedule(name, {**trigger, **rest}, (), Place()))
            builder.add(name, function, for_job)
            self._append(builder)
            return function

        return register

    def _append(self, builder: "ScheduleBuilder") -> None:
        refuse_twice("schedule", [*(known.name for known in self._builders), builder.name], Place())
        self._builders.append(builder)


class ScheduleBuilder:
    """A schedule whose jobs are being added."""

    def __init__(self, bare: Schedule) -> None:
        self.name = bare.name
        self._bare = bare
        self._jobs: list[Job] = []

    @overload
    def job(self, function: Function, /) -> Function: ...
    @overload
    def job(self, **settings: Unpack[NamedJobSettings]) -> Callable[[Function], Function]: ...

    def job(self, function: Any = None, /, **settings: Any) -> Any:  # type: ignore[misc]  # mypy and Unpack in an overload
        """Add the decorated function as the next job, named after it unless ``name`` is given."""
        for_job = {field: value for field, value in settings.items() if field != "name"}

        def register(function: Function) -> Function:
            self.add(_name_of(function, settings, Place(schedule=self.name)), function, for_job)
            return function

        return register if function is None else register(function)

    def command(self, name: str, command: str | Sequence[str], /, **settings: Unpack[JobSettings]) -> None:
        """Add a command as the next job: a list runs directly, a text in ``/bin/sh -c``."""
        self.add(name, command, settings)

    def schedule(self) -> Schedule:
        """Return the schedule with the jobs that it has so far."""
        return replace(self._bare, jobs=tuple(self._jobs))

    def add(self, name: str, work: Callable[..., Any] | str | Sequence[str], settings: Mapping[str, Any]) -> None:
        """Add the next job; raises `DefinitionError`."""
        place = Place(schedule=self.name)
        job = make_job(name, work, settings, place)
        refuse_twice("job", [*(known.name for known in self._jobs), job.name], place)
        self._jobs.append(job)


def _name_of(function: object, settings: Mapping[str, Any], place: Place) -> str:
    if settings.get("name") is not None:
        return str(settings["name"])
    name = getattr(function, "__name__", "")
    if not callable(function) or not name or name == "<lambda>":
        raise DefinitionError(place, f"{function!r} has no name of its own", 'give one: name="…"')
    return str(name).replace("_", "-")
