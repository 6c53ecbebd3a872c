"""The definition of a schedule as text, and what the generation changed that changed it last."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from lease.durations import parse_duration

from ...definitions.schedule import TRIGGERS
from ...states import ON_REQUEST
from ...text import counted
from .written import written

_CONTEXT = 3
"""So many lines around a change are shown of a long part that has not changed."""
_LONGEST = 500
_MOST_LINES = 2_000


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a definition."""

    text: str
    kind: Literal["", "add", "del", "cut"] = ""
    """It was added or taken away, or stands for lines that are not shown."""


def whole(name: str, definition: str) -> list[TextLine]:
    """Return a stored definition as text."""
    lines = written(name, json.loads(definition))
    more = [TextLine(f"{counted(len(lines) - _MOST_LINES, 'line')} more", "cut")] if len(lines) > _MOST_LINES else []
    return [_line(text) for text in lines[:_MOST_LINES]] + more


def changes(name: str, definition: str, settings: Mapping[str, tuple[Any, Any]]) -> list[TextLine]:
    """Return a stored definition with what changed last, as `settings` of a diff say; nothing if that shows nowhere."""
    after = json.loads(definition)
    lines, before = written(name, after), written(name, _before(after, settings))
    parts = SequenceMatcher(None, before, lines, autojunk=False).get_opcodes()
    if all(tag == "equal" for tag, *_ in parts):
        return []
    shown: list[TextLine] = []
    for number, (tag, first, last, start, end) in enumerate(parts):
        if tag == "equal":
            shown += _folded(lines[start:end], is_first=number == 0, is_last=number == len(parts) - 1)
        shown += [_line(text, "del") for text in before[first:last] if tag != "equal"]
        shown += [_line(text, "add") for text in lines[start:end] if tag != "equal"]
    return shown[:_MOST_LINES]


def _folded(lines: Sequence[str], *, is_first: bool, is_last: bool) -> list[TextLine]:
    head, tail = 0 if is_first else _CONTEXT, 0 if is_last else _CONTEXT
    cut = len(lines) - head - tail
    if cut < _CONTEXT:
        return [_line(text) for text in lines]
    rest = lines[len(lines) - tail :] if tail else []
    first = [lines[0]] if is_first else lines[:head]  # the name of the table
    return [
        *map(_line, first),
        TextLine(f"{counted(cut - (1 if is_first else 0), 'line')} as before", "cut"),
        *map(_line, rest),
    ]


def _line(text: str, kind: Literal["", "add", "del"] = "") -> TextLine:
    return TextLine(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)", kind)


def _before(after: Mapping[str, Any], settings: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Return the definition as it was before these changes."""
    before: dict[str, Any] = {**after, "params": dict(after.get("params", {}))}
    jobs: dict[str, dict[str, Any]] = {str(job.get("name")): dict(job) for job in after.get("jobs", ())}
    came = {name for name in jobs if _is_new(jobs[name], name, settings)}
    for setting, (value, _) in settings.items():
        if setting == "timing":
            before = {key: one for key, one in before.items() if key not in TRIGGERS} | _timing(value)
        elif setting.startswith("param "):
            before["params"] = _with(before["params"], setting.removeprefix("param "), value)
        elif setting.startswith("job ") and ", " in setting:
            name, _, key = setting.removeprefix("job ").rpartition(", ")
            jobs[name] = _with(jobs.get(name, {"name": name}), key, value)
        else:
            before = _with(before, setting, value)
    return {**before, "jobs": [job for name, job in jobs.items() if name not in came]}


def _is_new(job: Mapping[str, Any], name: str, settings: Mapping[str, tuple[Any, Any]]) -> bool:
    """Return whether a job was not there before: all that it says has changed from nothing."""
    own = {key: settings.get(f"job {name}, {key}") for key, value in job.items() if key != "name" and value is not None}
    return bool(own) and all(change is not None and change[0] is None for change in own.values())


def _with(of: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a mapping with another value; None takes the key away."""
    rest = {name: one for name, one in of.items() if name != key or value is not None}
    return rest if value is None else {**rest, key: value}


def _timing(text: object) -> dict[str, Any]:
    """Return the setting that a timing in words comes from."""
    kind, _, value = str(text).partition(" ")
    if text == ON_REQUEST:
        return {"on_request": True}
    return {kind: parse_duration(value) if kind == "every" else value}
