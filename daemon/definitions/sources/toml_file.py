"""Definitions in TOML, and the JSON Schema of them."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ...errors import DefinitionError, Mistakes, Place, together
from ...text import suggestion
from ..application import Application, make_application
from ..defaults import Defaults, DefaultSettings, read_defaults
from ..definition import read, read_settings
from ..schedule import TRIGGERS, Job, Schedule
from ..values.calendars import Calendars, read_calendars
from ..values.refusal import Refusal, refused_at, shown
from ..values.strings import GREATEST, check_required, check_revision, name_of
from ..values.work import imported, member

WORK = ("call", "command")
JOB_KEYS = ("name", *WORK, *Job.settings())
FILE_KEYS = ("application", "revision", "require_revision", "defaults", "calendars", "schedules", "settings")
_FOR_ALL = {
    key: Refusal("this is a setting of schedules and jobs", "write it under [defaults] to give it to all")
    for key in DefaultSettings.settings()
}
IN_TOML: Mapping[str, Refusal] = {
    **{key: Refusal("this is a setting of a job", "write it in jobs = [{ … }]") for key in JOB_KEYS},
    "slots": Refusal("this is a setting of a lock", 'write lock = { name = "…", slots = … }'),
    "calendars": Refusal("this is not a setting of a schedule", "write [calendars.NAME], and name it in exclude"),
}
_A_WORK: Mapping[str, Any] = {"name": "job", "command": "true"}
"""Stands for what a job runs, if that is not known."""


def read_toml(path: Path, source: str) -> Application:
    """Return what the file defines; ``source`` is how errors name it. Raises `DefinitionError`."""
    place, mistakes = Place(source=source), Mistakes()
    document = _parsed(path, source)
    with mistakes:
        _refuse_unknown(document, FILE_KEYS, place, _FOR_ALL)
        if "application" not in document:
            problem, remedy = "the file does not name its application", 'write application = "shop"'
            raise DefinitionError(replace(place, field="application"), problem, remedy)
    given: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    calendars, defaults, revision, required = Calendars(known=False), Defaults(), None, False
    with mistakes:
        given = _table(document, "schedules", place, "write [schedules.NAME]")
    with mistakes:
        settings = _table(document, "settings", place, "write [settings]")
    with mistakes:
        calendars = _calendars(document, place)
    with mistakes:
        defaults = _defaults(_table(document, "defaults", place, "write [defaults]"), place, calendars)
    with mistakes, refused_at(replace(place, field="revision")):
        revision = check_revision(document["revision"]) if "revision" in document else None
    with mistakes, refused_at(replace(place, field="require_revision")):
        required = check_required(document.get("require_revision", False))
    schedules: list[Schedule] = []
    for name, one in given.items():
        with mistakes:
            schedules.append(_schedule(name, one, place, defaults, calendars))
    if not schedules:
        mistakes.refuse()  # and not, besides, that there is none
    with mistakes:
        named, of_all = document.get("application", "unnamed"), {"settings": settings, "defaults": defaults.shown}
        ordered = {"revision": revision, "require_revision": required}
        application = make_application(named, schedules, place, source=path, spec=str(path), **of_all, **ordered)
    mistakes.refuse()
    return application


def settings_in(path: Path) -> Mapping[str, Any]:
    """Return `[settings]` of a file whose definitions are wrong; nothing if that cannot be read."""
    try:
        return _table(_parsed(path, ""), "settings", Place(), "")
    except DefinitionError:
        return {}


def _table(document: Mapping[str, Any], key: str, place: Place, how: str) -> Mapping[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise DefinitionError(replace(place, field=key), "it is not a table", how)
    return found


def _parsed(path: Path, source: str) -> dict[str, Any]:
    text, place = "", Place(source=source)
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text)
    except OSError as error:
        raise DefinitionError(place, f"the file cannot be read: {error.strerror}", "check its permissions") from None
    except UnicodeDecodeError:
        raise DefinitionError(place, "the file is not UTF-8", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        lines = text.split("\n")
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the file"
        said = str(error).replace("at end of document", end)
        raise DefinitionError(place, f"invalid TOML: {said}", "fix the syntax there") from None


def _calendars(document: Mapping[str, Any], place: Place) -> Calendars:
    how = "write [calendars.NAME] with dates = [...]"
    given, mistakes, with_dates = _table(document, "calendars", place, how), Mistakes(), {}
    for name, calendar in given.items():
        own = replace(place, field=f"calendars.{name}")
        if not isinstance(calendar, dict) or "dates" not in calendar:
            mistakes.note(DefinitionError(own, "it has no dates", how.replace("NAME", name)))
            continue
        for key in sorted(calendar.keys() - {"dates"}):
            mistakes.note(DefinitionError(own, f'there is no such setting as "{key}"', "a calendar has only dates"))
        with_dates[name] = calendar["dates"]
    with mistakes:
        calendars = read_calendars(with_dates, place, how)
    mistakes.refuse()
    return calendars


def _defaults(given: Mapping[str, Any], place: Place, calendars: Calendars) -> Defaults:
    of_schedule, of_job = "write it in [schedules.NAME]", IN_TOML["timeout"].remedy
    try:
        return read_defaults(calendars.resolved(given, place), place, of_schedule=of_schedule, of_job=of_job)
    except DefinitionError as error:
        raise error.placed(lambda place: replace(place, field=f"defaults.{place.field}")) from None


def _schedule(name: str, given: object, place: Place, defaults: Defaults, calendars: Calendars) -> Schedule:
    own = replace(place, schedule=name)
    if not isinstance(given, dict):
        raise DefinitionError(own, f"{shown(given)} is not a table", f"write [schedules.{name}]")
    jobs, mistakes, made = given.get("jobs", []), Mistakes(), []
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        how = 'write jobs = [{ command = "…" }]'
        mistakes.note(DefinitionError(replace(own, field="jobs"), "it is not a list of tables", how))
        jobs = []
    for number, job in enumerate(jobs, start=1):
        with mistakes:
            made.append(_job(number, job, own, defaults))
    with mistakes:
        own_settings = calendars.resolved({key: value for key, value in given.items() if key != "jobs"}, own)
        settings = defaults.of_schedule(own_settings)
        schedule = read(Schedule, name, settings, place, others=("jobs",), misplaced=IN_TOML, jobs=tuple(made))
    mistakes.refuse()
    return schedule


def _job(number: int, given: Mapping[str, Any], place: Place, defaults: Defaults) -> Job:
    label = given["name"] if isinstance(given.get("name"), str) else f"number {number}"
    own = replace(place, job=label)
    settings = {key: value for key, value in given.items() if key in Job.settings()}
    try:
        _refuse_unknown(given, JOB_KEYS, own, {})
        name, work = _named_work(given, own)
    except DefinitionError as error:
        mistakes = Mistakes()
        mistakes.note(error)
        settings.pop("isolation", None)  # it depends on what the job runs
        with mistakes:
            read_settings(Job, defaults.of_job(settings), own, **_A_WORK)
        raise together(mistakes.found) from None
    return read(Job, name, defaults.of_job(settings, work.get("function")), place, **work)


def _named_work(given: Mapping[str, Any], own: Place) -> tuple[object, Mapping[str, Any]]:
    """Return what a job is called, and its function or command."""
    work = [key for key in WORK if key in given]
    if len(work) != 1:
        problem = "it has both call and command" if work else "it has nothing to run"
        raise DefinitionError(own, problem, 'set either call = "package.module:function" or command = "…"')
    if work == ["command"]:
        if "name" not in given:
            raise DefinitionError(own, "it has no name", 'write name = "…"')
        return given["name"], {"command": given["command"]}
    call, place = given["call"], replace(own, field="call")
    module_name, _, attribute = call.partition(":") if isinstance(call, str) else ("", "", "")
    if not module_name or not attribute:
        how = 'write it like "package.module:function"'
        raise DefinitionError(place, f"{shown(call)} does not name a function", how)
    with imported(module_name, place):
        module = import_module(module_name)
    function = member(module, attribute, place)
    if not callable(function):
        raise DefinitionError(place, f"{call} is {shown(function)}, not a function", "name a function")
    return given.get("name", getattr(function, "__name__", "").replace("_", "-")), {"function": function}


def _refuse_unknown(
    given: Mapping[str, object], known: tuple[str, ...], place: Place, misplaced: Mapping[str, Refusal]
) -> None:
    mistakes = Mistakes()
    for key in given:
        if key not in known:
            missing = Refusal("there is no such setting", suggestion(key, known))
            mistakes.note(misplaced.get(key, missing).at(replace(place, field=key)))
    mistakes.refuse()


# The JSON Schema of a TOML file, for editors


class WrittenSettings(GenerateJsonSchema):
    """A JSON Schema without null, for what is not given is left out.

    A title says what a value is, not what its setting is called.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value is not None}


def json_schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model."""
    return model.model_json_schema(schema_generator=WrittenSettings)


_CALENDARS: Mapping[str, Any] = {
    "type": "object",
    "propertyNames": {"minLength": 1, "pattern": "^[^0-9]"},
    "additionalProperties": {
        "type": "object",
        "required": ["dates"],
        "additionalProperties": False,
        "properties": {"dates": {"type": "array", "items": {"type": "string"}}},
    },
    "description": "Named sets of days, for `exclude`.",
}


def json_schema(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a TOML file of definitions; ``settings`` is that of its `[settings]`."""
    schedule = json_schema_of(Schedule)
    job = schedule.pop("$defs")["Job"]
    # A file spells some of it otherwise: names are keys, functions are named, and each job says what it runs.
    schedule["required"] = ["jobs"]
    schedule["oneOf"] = [{"required": [trigger]} for trigger in TRIGGERS]
    schedule["oneOf"][-1]["properties"] = {"on_request": {"enum": [True]}}  # false is as if it was not given
    schedule["properties"]["jobs"] = {"type": "array", "minItems": 1, "items": job}
    job["properties"]["call"] = job["properties"].pop("function")
    job["oneOf"] = [{"required": ["call"]}, {"required": ["name", "command"]}]
    del job["required"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Schedules of leased",
        "type": "object",
        "required": ["application", "schedules"],
        "additionalProperties": False,
        "properties": {
            "application": TypeAdapter(Annotated[str, name_of("application")]).json_schema(),
            "revision": {
                "type": "integer",
                "minimum": 0,
                "maximum": GREATEST,
                "description": "Orders definitions: a higher revision supersedes a lower one.",
            },
            "require_revision": {
                "type": "boolean",
                "default": False,
                "description": "Run only on replicas of the highest live revision.",
            },
            "defaults": {
                **json_schema_of(DefaultSettings),
                "description": "Defaults for all schedules and jobs. `env` is merged.",
            },
            "calendars": _CALENDARS,
            "settings": {
                **settings,
                "description": "Settings of the command. Flags and the environment take precedence.",
            },
            "schedules": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": schedule["properties"].pop("name"),
                "additionalProperties": schedule,
            },
        },
    }
