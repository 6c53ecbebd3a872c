"""Definitions in TOML."""

import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import DefinitionError, Place
from ...text import suggestion
from ..fields import Fields
from ..job_settings import JOB_SETTINGS, make_job
from ..model import Application, Job, Schedule
from ..names import shown
from ..schedule_settings import SCHEDULE_SETTINGS, make_application, make_schedule
from .user_code import imported, member

FILE_SETTINGS = ("application", "schedules", "settings")
JOB_FIELDS = ("name", "call", "command", *JOB_SETTINGS)


def read_toml(path: Path, source: str) -> Application:
    """Return what the file defines; ``source`` is how errors name it. Raises `DefinitionError`."""
    place = Place(source=source)
    document = Fields(_parsed(path, source), place)
    document.refuse_unknown(FILE_SETTINGS, {})
    if "application" not in document.given:
        raise document.refuse("application", "the file does not name its application", 'write application = "shop"')
    schedules = document.given.get("schedules", {})
    if not isinstance(schedules, dict):
        raise document.refuse("schedules", "it is not a table", "write [schedules.NAME]")
    settings = document.given.get("settings", {})
    if not isinstance(settings, dict):
        raise document.refuse("settings", "it is not a table", "write [settings]")
    return make_application(
        document.given["application"],
        [_schedule(name, given, place) for name, given in schedules.items()],
        place,
        source=path,
        spec=str(path),
        settings=settings,
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
        told = str(error).replace("at end of document", end)
        raise DefinitionError(Place(source=source), f"TOML cannot be read: {told}", "correct that place") from None


def _schedule(name: str, given: object, place: Place) -> Schedule:
    own = Place(source=place.source, schedule=name)
    if not isinstance(given, dict):
        raise DefinitionError(own, f"{shown(given)} is not a table", f"write [schedules.{name}]")
    settings = {field: value for field, value in given.items() if field != "jobs"}
    unknown = next((field for field in settings if field not in SCHEDULE_SETTINGS), None)
    if unknown is not None and unknown in JOB_FIELDS:
        raise Fields(given, own).refuse(unknown, "this is a setting of a job", "write it in jobs = [{ … }]")
    jobs = given.get("jobs", [])
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise Fields(given, own).refuse("jobs", "it is not a list of tables", 'write jobs = [{ command = "…" }]')
    made = [_job(index, job, own) for index, job in enumerate(jobs, start=1)]
    return make_schedule(name, settings, made, place)


def _job(number: int, given: Mapping[str, Any], place: Place) -> Job:
    label = given["name"] if isinstance(given.get("name"), str) else f"number {number}"
    fields = Fields(given, Place(source=place.source, schedule=place.schedule, job=label))
    unknown = next((field for field in given if field not in JOB_FIELDS), None)
    if unknown is not None:
        raise fields.refuse(unknown, "there is no such setting", suggestion(unknown, JOB_FIELDS))
    works = [field for field in ("call", "command") if field in given]
    if len(works) != 1:
        problem = "it has both call and command" if works else "it says nothing to run"
        raise DefinitionError(fields.place, problem, 'set either call = "package.module:function" or command = "…"')
    settings = {field: given[field] for field in JOB_SETTINGS if field in given}
    if works == ["command"]:
        if "name" not in given:
            raise DefinitionError(fields.place, "it has no name", 'write name = "…"')
        return make_job(given["name"], given["command"], settings, place)
    function = _function(fields)
    name = given.get("name", getattr(function, "__name__", "").replace("_", "-"))
    return make_job(name, function, settings, place)


def _function(fields: Fields) -> Any:
    text = fields.text("call")
    module_name, colon, attribute = text.partition(":")
    if not colon or not module_name or not attribute:
        raise fields.refuse(
            "call", f"{shown(text)} does not name a function", 'write it like "package.module:function"'
        )
    place = fields.refuse("call", "", "").place
    with imported(module_name, place):
        module = import_module(module_name)
    function = member(module, attribute, place)
    if not callable(function):
        raise DefinitionError(place, f"{text} is {shown(function)}, not a function", "name a function")
    return function
