"""The JSON Schema of a TOML file, for editors."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ..defaults import DefaultSettings
from ..schedule import TRIGGERS, Schedule
from ..values.names import GREATEST, name_of


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
    _as_in_a_file(schedule, job)
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


def _as_in_a_file(schedule: dict[str, Any], job: dict[str, Any]) -> None:
    """Change what a file spells in a way of its own: names are keys, functions are named, and
    each job says what it runs.
    """
    schedule["required"] = ["jobs"]
    schedule["oneOf"] = [{"required": [trigger]} for trigger in TRIGGERS]
    schedule["oneOf"][-1]["properties"] = {"on_request": {"enum": [True]}}  # false is as if it was not given
    schedule["properties"]["jobs"] = {"type": "array", "minItems": 1, "items": job}
    job["properties"]["call"] = job["properties"].pop("function")
    job["oneOf"] = [{"required": ["call"]}, {"required": ["name", "command"]}]
    del job["required"]
