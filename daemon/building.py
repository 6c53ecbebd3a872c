"""From settings as they were given to jobs and schedules; whatever does not fit is refused here."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from .definitions import DEFAULT_BACKOFF, Application, Isolation, Job, Schedule
from .errors import DefinitionError, InvalidCron, Place
from .fields import LONGEST_LOCK, Fields, check_name, shown
from .triggers import At, Cron, Every, Trigger

TRIGGERS = ("cron", "every", "at")
SCHEDULE_SETTINGS = (
    *TRIGGERS,
    "timezone",
    "starts",
    "ends",
    "catch_up",
    "start_within",
    "overlap",
    "lock",
    "on_failure",
    "jitter",
    "params",
    "enabled",
    "description",
    "tags",
)
JOB_SETTINGS = ("timeout", "retries", "backoff", "isolation", "cwd", "env")
LATER = {"keep": "leave it out: the history is kept as a whole"}
_LATER_OVERLAP = {"replace": 'use "skip", "queue" or "allow"'}
_LATER_ISOLATION = {"thread": 'leave it out, or use "process", which can be killed'}
_SHORTEST_INTERVAL = 0.1
_LONGEST_LEASE = 255 - len("run///") - len(str(2**63))
"""What an application's and a schedule's name may have together, so that the lease of a run fits (rule 14)."""


def make_job(
    name: object, work: Callable[..., Any] | str | Iterable[str], given: Mapping[str, object], place: Place
) -> Job:
    """Return a job that calls a function or runs a command; raises `DefinitionError`."""
    place = replace(place, job=check_name("a job", name, place))
    fields = Fields(given, place)
    fields.refuse_unknown(JOB_SETTINGS, {})
    function = work if callable(work) else None
    command = None if callable(work) else _command(work, fields)
    isolation = _isolation(function, fields)
    env = {key: _variable(fields, key, value) for key, value in fields.table("env").items()}
    cwd = fields.text("cwd") or None
    if isolation == "task" and (env or cwd):
        problem = "a task runs inside the replica and has no folder or environment of its own"
        raise fields.refuse("env" if env else "cwd", problem, 'set isolation = "process", or leave this out')
    return Job(
        name=str(name),
        isolation=isolation,
        function=function,
        command=command,
        timeout=fields.duration("timeout", least=0.001),
        retries=fields.count("retries"),
        backoff=_or(fields.duration("backoff"), DEFAULT_BACKOFF),
        cwd=cwd,
        env=env,
    )


def make_schedule(name: object, given: Mapping[str, object], jobs: Iterable[Job], place: Place) -> Schedule:
    """Return a schedule; raises `DefinitionError`. Whether it has jobs is checked by `make_application`."""
    place = replace(place, schedule=check_name("a schedule", name, place, slash=False))
    fields = Fields(given, place)
    fields.refuse_unknown(SCHEDULE_SETTINGS, LATER)
    starts, ends = fields.instant("starts"), fields.instant("ends")
    if starts is not None and ends is not None and ends <= starts:
        raise fields.refuse("ends", "it ends before it starts", "set a later instant")
    start_within, jitter = fields.duration("start_within"), _or(fields.duration("jitter"), 0.0)
    if start_within is not None and jitter >= start_within:
        raise fields.refuse("jitter", "a run could come later than start_within allows", "set it below start_within")
    return Schedule(
        name=str(name),
        trigger=_trigger(fields),
        timezone=fields.timezone("timezone"),
        starts=starts,
        ends=ends,
        catch_up=fields.choice("catch_up", ("skip", "latest", "all"), "latest"),
        start_within=start_within,
        overlap=fields.choice("overlap", ("skip", "queue", "allow"), "skip", _LATER_OVERLAP),
        lock=_lock(fields),
        on_failure=fields.choice("on_failure", ("stop", "continue"), "stop"),
        jitter=jitter,
        params=fields.table("params"),
        enabled=fields.flag("enabled", default=True),
        description=fields.text("description"),
        tags=fields.texts("tags"),
        jobs=tuple(jobs),
    )


def make_application(name: object, schedules: Iterable[Schedule], place: Place, **others: Any) -> Application:
    """Return an application, whose schedules have jobs and names of their own; raises `DefinitionError`."""
    application = check_name("an application", name, place, slash=False)
    schedules = tuple(schedules)
    if not schedules:
        raise DefinitionError(place, f'the application "{application}" has no schedule', "add one")
    refuse_twice("schedule", [schedule.name for schedule in schedules], place)
    for schedule in schedules:
        own = replace(place, schedule=schedule.name)
        if not schedule.jobs:
            raise DefinitionError(own, "it has no job", "add a function or a command")
        refuse_twice("job", [job.name for job in schedule.jobs], own)
        if len(application) + len(schedule.name) > _LONGEST_LEASE:
            remedy = f"they name a lease, and may have {_LONGEST_LEASE} characters together"
            raise DefinitionError(own, f'its name and that of the application "{application}" are too long', remedy)
    return Application(name=application, schedules=schedules, **others)


def refuse_twice(what: str, names: Iterable[str], place: Place) -> None:
    """Raise `DefinitionError` if a name comes twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DefinitionError(place, f'there are two {what}s named "{name}"', "rename one of them")
        seen.add(name)


def check_function(function: Callable[..., Any], place: Place) -> None:
    """Refuse what cannot be called with a run, or would do nothing when called."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(place, "the function has a `yield`, so calling it would do nothing", "take it out")
    if not inspect.isroutine(function) and inspect.iscoroutinefunction(type(function).__call__):
        raise DefinitionError(place, "it is an object that is called like an async function", "give an async function")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(object())
    except TypeError:
        raise DefinitionError(
            place, f"the function takes {signature}, but a job is called with its run alone", "let it take one: (run)"
        ) from None


def _isolation(function: Callable[..., Any] | None, fields: Fields) -> Isolation:
    if function is None:
        fields.choice("isolation", ("process",), "process", _LATER_ISOLATION)
        return "command"
    check_function(function, fields.place)
    chosen: Isolation = fields.choice(
        "isolation",
        ("task", "process"),
        "task" if inspect.iscoroutinefunction(function) else "process",
        _LATER_ISOLATION,
    )
    if chosen == "task" and not inspect.iscoroutinefunction(function):
        raise fields.refuse(
            "isolation", "only an async function can be a task", 'make it `async def`, or use "process"'
        )
    return chosen


def _command(work: object, fields: Fields) -> str | tuple[str, ...]:
    if isinstance(work, str) and work.strip() and "\0" not in work:
        return work
    words = tuple(work) if isinstance(work, (list, tuple)) else ()
    if words and words[0] and all(isinstance(word, str) and "\0" not in word for word in words):
        return words
    problem = f"{shown(work)} is not a command"
    raise fields.refuse("command", problem, 'write a text for /bin/sh, or a list like ["python", "sync.py"]')


def _variable(fields: Fields, key: str, value: object) -> str:
    if not key or "=" in key or "\0" in key:
        raise fields.refuse("env", f"{shown(key)} cannot name a variable", 'use a name without "="')
    if key.startswith(("LEASE_", "LEASED_")):
        raise fields.refuse("env", f'"{key}" is set by the daemon itself', "use another name")
    if not isinstance(value, str) or "\0" in value:
        raise fields.refuse("env", f'the value of "{key}" is not a text', "put it in quotes")
    return value


def _trigger(fields: Fields) -> Trigger:
    given = [field for field in TRIGGERS if fields.given.get(field) is not None]
    if len(given) != 1:
        problem = f"it has {' and '.join(given)}" if given else "it does not say when it is due"
        raise DefinitionError(fields.place, problem, "set one of cron, every and at")
    if given == ["cron"]:
        try:
            return Cron(fields.text("cron"))
        except InvalidCron as error:
            problem, _, remedy = str(error).partition("; ")
            raise fields.refuse("cron", problem, remedy) from None
    instant = fields.instant("at")
    if instant is not None:
        return At(instant)
    return Every(fields.duration("every", least=_SHORTEST_INTERVAL) or _SHORTEST_INTERVAL)


def _lock(fields: Fields) -> str | None:
    if fields.given.get("lock") is None:
        return None
    place = replace(fields.place, field="lock")
    lock = check_name("a lock", fields.given["lock"], place, most=LONGEST_LOCK)
    if lock.startswith("run/"):
        raise DefinitionError(place, f'"{lock}" begins with "run/", which belongs to the daemon', "choose another name")
    return lock


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
