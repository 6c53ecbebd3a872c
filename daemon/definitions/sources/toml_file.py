"""Definitions in TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import DefinitionError, Place
from ...text import suggestion
from ..application import Application, make_application
from ..defaults import Defaults, DefaultSettings, read_defaults
from ..job import Job
from ..read import read
from ..schedule import Schedule
from ..values.calendars import Calendars, read_calendars
from ..values.refusal import Refusal, refused_at, shown
from ..values.revision import check_required, check_revision
from .misplaced import IN_TOML, JOB_KEYS, WORK
from .user_code import imported, member

FILE_KEYS = ("application", "revision", "require_revision", "defaults", "calendars", "schedules", "settings")
_FOR_ALL = {
    key: Refusal("this is a setting of schedules and jobs", "write it under [defaults] to give it to all")
    for key in DefaultSettings.settings()
}
_NOTHING: Mapping[str, Refusal] = {}


def read_toml(path: Path, source: str) -> Application:
    """Return what the file defines; ``source`` is how errors name it. Raises `DefinitionError`."""
    place = Place(source=source)
    document = _parsed(path, source)
    _refuse_unknown(document, FILE_KEYS, place, _FOR_ALL)
    if "application" not in document:
        problem, remedy = "the file does not name its application", 'write application = "shop"'
        raise DefinitionError(replace(place, field="application"), problem, remedy)
    schedules, settings = document.get("schedules", {}), document.get("settings", {})
    if not isinstance(schedules, dict):
        raise DefinitionError(replace(place, field="schedules"), "it is not a table", "write [schedules.NAME]")
    if not isinstance(settings, dict):
        raise DefinitionError(replace(place, field="settings"), "it is not a table", "write [settings]")
    calendars = _calendars(document.get("calendars", {}), place)
    defaults = _defaults(document.get("defaults", {}), place, calendars)
    with refused_at(replace(place, field="revision")):
        revision = check_revision(document["revision"]) if "revision" in document else None
    with refused_at(replace(place, field="require_revision")):
        required = check_required(document.get("require_revision", False))
    return make_application(
        document["application"],
        [_schedule(name, given, place, defaults, calendars) for name, given in schedules.items()],
        place,
        source=path,
        spec=str(path),
        settings=settings,
        defaults=defaults.shown(),
        revision=revision,
        require_revision=required,
    )


def _parsed(path: Path, source: str) -> dict[str, Any]:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except OSError as error:
        raise DefinitionError(
            Place(source=source), f"the file cannot be read: {error.strerror}", "check its rights"
        ) from None
    except UnicodeDecodeError:
        raise DefinitionError(Place(source=source), "the file is not UTF-8", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        lines = text.split("\n")
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file"
        said = str(error).replace("at end of document", end)
        raise DefinitionError(Place(source=source), f"TOML cannot be read: {said}", "correct that place") from None


def _calendars(given: object, place: Place) -> Calendars:
    how = "write [calendars.NAME] with dates = [...]"
    if not isinstance(given, dict):
        raise DefinitionError(replace(place, field="calendars"), "it is not a table", how)
    for name, calendar in given.items():
        own = replace(place, field=f"calendars.{name}")
        if not isinstance(calendar, dict) or "dates" not in calendar:
            raise DefinitionError(own, "it has no dates", how.replace("NAME", name))
        for key in calendar.keys() - {"dates"}:
            raise DefinitionError(own, f'there is no such setting as "{key}"', "a calendar has dates only")
    return read_calendars({name: calendar["dates"] for name, calendar in given.items()}, place, how)


def _defaults(given: object, place: Place, calendars: Calendars) -> Defaults:
    if not isinstance(given, dict):
        raise DefinitionError(replace(place, field="defaults"), "it is not a table", "write [defaults]")
    of_schedule, of_job = "write it in [schedules.NAME]", IN_TOML["timeout"].remedy
    try:
        return read_defaults(calendars.resolved(given, place), place, of_schedule=of_schedule, of_job=of_job)
    except DefinitionError as error:
        raise type(error)(
            replace(error.place, field=f"defaults.{error.place.field}"), error.problem, error.remedy
        ) from None


def _schedule(name: str, given: object, place: Place, defaults: Defaults, calendars: Calendars) -> Schedule:
    own = replace(place, schedule=name)
    if not isinstance(given, dict):
        raise DefinitionError(own, f"{shown(given)} is not a table", f"write [schedules.{name}]")
    jobs = given.get("jobs", [])
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise DefinitionError(
            replace(own, field="jobs"), "it is not a list of tables", 'write jobs = [{ command = "…" }]'
        )
    made = tuple(_job(number, job, own, defaults) for number, job in enumerate(jobs, start=1))
    own_settings = calendars.resolved({key: value for key, value in given.items() if key != "jobs"}, own)
    settings = defaults.of_schedule(own_settings)
    return read(Schedule, name, settings, place, others=("jobs",), misplaced=IN_TOML, jobs=made)


def _job(number: int, given: Mapping[str, Any], place: Place, defaults: Defaults) -> Job:
    label = given["name"] if isinstance(given.get("name"), str) else f"number {number}"
    own = replace(place, job=label)
    _refuse_unknown(given, JOB_KEYS, own)
    work = [key for key in WORK if key in given]
    if len(work) != 1:
        problem = "it has both call and command" if work else "it says nothing to run"
        raise DefinitionError(own, problem, 'set either call = "package.module:function" or command = "…"')
    settings = {key: value for key, value in given.items() if key in Job.settings()}
    if work == ["command"]:
        if "name" not in given:
            raise DefinitionError(own, "it has no name", 'write name = "…"')
        return read(Job, given["name"], defaults.of_job(settings), place, command=given["command"])
    function = _function(given["call"], replace(own, field="call"))
    name = given.get("name", getattr(function, "__name__", "").replace("_", "-"))
    return read(Job, name, defaults.of_job(settings, function), place, function=function)


def _function(call: object, place: Place) -> object:
    module_name, colon, attribute = call.partition(":") if isinstance(call, str) else ("", "", "")
    if not colon or not module_name or not attribute:
        raise DefinitionError(
            place, f"{shown(call)} does not name a function", 'write it like "package.module:function"'
        )
    with imported(module_name, place):
        module = import_module(module_name)
    function = member(module, attribute, place)
    if not callable(function):
        raise DefinitionError(place, f"{call} is {shown(function)}, not a function", "name a function")
    return function


def _refuse_unknown(
    given: Mapping[str, object], known: tuple[str, ...], place: Place, misplaced: Mapping[str, Refusal] = _NOTHING
) -> None:
    for key in given:
        if key not in known:
            missing = Refusal("there is no such setting", suggestion(key, known))
            raise misplaced.get(key, missing).at(replace(place, field=key))
