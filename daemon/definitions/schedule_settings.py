"""From settings as they were given to schedules and an application; whatever does not fit is refused here."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import DefinitionError, InvalidCron, Place
from .fields import Fields
from .model import Application, Job, Schedule
from .names import LONGEST_LOCK, check_name, refuse_twice
from .triggers.trigger import At, Cron, Every, Trigger

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
LATER = {"keep": "leave it out: the history is kept as a whole"}
_LATER_OVERLAP = {"replace": 'use "skip", "queue" or "allow"'}
_SHORTEST_INTERVAL = 0.1
_LONGEST_LEASE = 255 - len("run///") - len(str(2**63))
"""What an application's and a schedule's name may have together, so that the lease of a run fits (rule 14)."""


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
    if fields.given.get("overlap") == "allow":
        raise DefinitionError(
            place, 'under one lock its runs cannot overlap, as overlap = "allow" asks', "leave one of them out"
        )
    if lock.startswith("run/"):
        raise DefinitionError(place, f'"{lock}" begins with "run/", which belongs to the daemon', "choose another name")
    return lock


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
