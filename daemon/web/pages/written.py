"""A stored definition as people would write it in TOML."""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from lease.durations import format_duration, parse_duration

from ...definitions.schedule import TRIGGERS, Job, Schedule
from ...definitions.toml_text import DURATIONS, key_text, value_text
from ...text import MASK

_MOST_DAYS = 20
"""So many days of a calendar are written; a comment counts the others."""


def written(name: str, stored: Mapping[str, Any]) -> list[str]:
    """Return the lines of a definition as `write_schedule` stores it, without what is so by default.

    What may be secret is masked: params that are declared so, the paths of URLs, and values of `env`, which nobody stores.
    """
    table = f"schedules.{key_text(name)}"
    lines = [f"[{table}]", *_settings(_in_order(stored), _defaults(Schedule))]
    if params := stored.get("params"):
        lines += ["", f"[{table}.params]", *_params(params, stored.get("secrets", ()))]
    for job in stored.get("jobs", ()):
        lines += ["", f"[[{table}.jobs]]", *_job(job)]
    for calendar in stored.get("exclude", ()):
        for of, days in calendar.items() if isinstance(calendar, Mapping) else ():
            lines += ["", f"[calendars.{key_text(of)}]", *_days(days)]
    return lines


def _in_order(stored: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield when it is due first, and last what this version does not know."""
    apart = {"name", "params", "jobs"}
    for name in dict.fromkeys([*TRIGGERS, *Schedule.settings(), *stored]):
        if name in stored and name not in apart:
            value = stored[name]
            # The first is how one with `exclude` is stored.
            yield name, next(iter(value.values()), None) if name == "catch_up" and isinstance(value, Mapping) else value


def _job(job: Mapping[str, Any]) -> Iterator[str]:
    given = {**job, "call": job.get("function")}
    is_command = job.get("command") is not None
    names = dict.fromkeys(["name", "call", "command", *Job.settings(), *job])
    yield from _settings(
        ((name, given[name]) for name in names if name in given and name != "function"),
        {**_defaults(Job), **({"isolation": "command"} if is_command else {})},
    )


def _settings(given: Any, defaults: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given:
        if value is None or (name in defaults and value == defaults[name]):
            continue
        yield f"{key_text(name)} = {_setting(name, value)}"


def _setting(name: str, value: Any) -> str:
    match name, value:
        case _, bool():
            return value_text(value)
        case _, int() | float() if name in DURATIONS:
            return _duration(value)
        case "long", Mapping():
            return f"{{ {', '.join(f'{level} = {_duration(seconds)}' for level, seconds in value.items())} }}"
        case "exclude", list():
            return value_text([of for item in value for of in (item if isinstance(item, Mapping) else [item])])
        case "notify" | "ping", _:
            return value_text(_without_secrets(value))
        case "env", list():
            return value_text(dict.fromkeys(value, "…"))
        case _:
            return value_text(value)


def _params(params: Mapping[str, Any], secrets: Collection[str]) -> Iterator[str]:
    for name, value in params.items():
        shown = MASK if name in secrets else value
        if _has_null(shown):  # which TOML does not have
            yield f"# {key_text(name)} = {json.dumps(shown)}"
        else:
            yield f"{key_text(name)} = {value_text(shown)}"


def _days(days: Collection[str]) -> Iterator[str]:
    some = list(days)
    if len(some) > _MOST_DAYS:
        yield f"# and {len(some) - _MOST_DAYS:,} more"
    yield f"dates = {value_text(some[:_MOST_DAYS])}"


def _duration(seconds: float) -> str:
    text = format_duration(seconds)
    return value_text(text if parse_duration(text) == seconds else seconds)


def _without_secrets(target: Any) -> Any:
    """Return where messages go without the paths of URLs: they often are a password."""
    if isinstance(target, list):
        return [_without_secrets(one) for one in target]
    if not isinstance(target, Mapping) or "url" not in target:
        return target
    parts = urlsplit(target["url"])
    return {**target, "url": f"{parts.scheme}://{parts.netloc}/…"}


def _has_null(value: Any) -> bool:
    match value:
        case Mapping():
            return any(map(_has_null, value.values()))
        case list():
            return any(map(_has_null, value))
        case _:
            return value is None


@cache
def _defaults(kind: type[Schedule] | type[Job]) -> Mapping[str, Any]:
    """Return what is so by default, as JSON has it."""
    found = {
        name: info.get_default(call_default_factory=True)
        for name, info in kind.settings().items()
        if name != "isolation" and not info.is_required()
    }
    return {**json.loads(json.dumps(found)), **({"env": []} if "env" in found else {})}  # only its names are stored
