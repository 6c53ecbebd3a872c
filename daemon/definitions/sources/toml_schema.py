"""The JSON Schema of a TOML file, for editors."""

from typing import Any

_DURATION = {
    "anyOf": [{"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|d|h|m|s)?)+$"}, {"type": "number", "minimum": 0}],
    "description": 'A duration: "15s", "40m", "2h30m", or a number of seconds.',
}
_INSTANT = {"type": "string", "format": "date-time", "description": "An instant, RFC 3339."}
_TEXT = {"type": "string"}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a TOML file of definitions."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Schedules of leased",
        "type": "object",
        "required": ["application", "schedules"],
        "additionalProperties": False,
        "properties": {
            "application": {"type": "string", "minLength": 1, "maxLength": 200},
            "settings": {
                "type": "object",
                "description": "Settings of the command; flags and the environment go first.",
            },
            "schedules": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"minLength": 1, "maxLength": 200, "pattern": "^[^/]*$"},
                "additionalProperties": _schedule(),
            },
        },
    }


def _schedule() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["jobs"],
        "additionalProperties": False,
        "oneOf": [{"required": [trigger]} for trigger in ("cron", "every", "at")],
        "properties": {
            "cron": {**_TEXT, "description": "5 fields, or 6 with seconds first, or @daily and the like."},
            "every": _DURATION,
            "at": _INSTANT,
            "timezone": {**_TEXT, "default": "UTC", "description": "A name of the IANA list."},
            "starts": _INSTANT,
            "ends": _INSTANT,
            "catch_up": _choice("latest", "skip", "latest", "all"),
            "start_within": _DURATION,
            "overlap": _choice("skip", "skip", "queue", "allow"),
            "lock": {"type": "string", "minLength": 1, "maxLength": 255},
            "on_failure": _choice("stop", "stop", "continue"),
            "jitter": _DURATION,
            "params": {"type": "object"},
            "enabled": {"type": "boolean", "default": True},
            "description": _TEXT,
            "tags": {"type": "array", "items": _TEXT},
            "jobs": {"type": "array", "minItems": 1, "items": _job()},
        },
    }


def _job() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": ["call"]}, {"required": ["command", "name"]}],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "call": {**_TEXT, "pattern": "^[^:]+:[^:]+$", "description": '"package.module:function"'},
            "command": {
                "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1, "items": _TEXT}],
                "description": "A text runs in /bin/sh -c, a list runs directly.",
            },
            "timeout": _DURATION,
            "retries": {"type": "integer", "minimum": 0, "default": 0},
            "backoff": _DURATION,
            "isolation": {"enum": ["task", "process"]},
            "cwd": {**_TEXT, "description": "Default: the folder of this file."},
            "env": {"type": "object", "additionalProperties": _TEXT},
        },
    }


def _choice(default: str, *choices: str) -> dict[str, Any]:
    return {"enum": list(choices), "default": default}
