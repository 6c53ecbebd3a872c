"""The difference between two definitions of a schedule: what was set before, and what is set after. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row

from ...definitions.definition import Mark
from ...definitions.schedule import Schedule
from ...text import MASK

TIMING = "timing"
"""When it is due, in words: stands for the settings that say so."""
_IN_WORDS = {"cron", "every", "at", "on_request", "trigger"}
"""What `TIMING` stands for."""
Diff = Mapping[str, tuple[Any, Any]]
"""By setting, what it was before and what it is after; ``job NAME, SETTING`` for those of a job, and ``param NAME``."""


def diff(schedule: Schedule, row: Row[Any]) -> Diff:
    """Return in which settings a schedule differs from its row, without the values of secret params."""
    stored, defined = _read(row.definition), schedule.canonical()
    before, after = dict(_settings(stored, row.trigger)), dict(_settings(defined, str(schedule.trigger)))
    changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    hidden = {f"param {name}" for of in (stored, defined) for name in of.get("secrets", ())}
    before, after = ({key: MASK if key in hidden else of[key] for key in of} for of in (before, after))
    return {key: (before.get(key), after.get(key)) for key in changed}


def is_timing_only(changes: Diff) -> bool:
    """Return whether it is due at other times, and executes the same."""
    return changes.keys() <= {TIMING, *Schedule.settings(Mark.TIMING)}


def _read(definition: str) -> Mapping[str, Any]:
    stored = json.loads(definition)
    return stored if isinstance(stored, dict) else {}


def _settings(stored: Mapping[str, Any], timing: str) -> Iterator[tuple[str, Any]]:
    yield TIMING, timing
    for name, value in stored.items():
        if name == "jobs":
            for job in value:
                yield from ((f"job {job.get('name')}, {key}", each) for key, each in job.items() if key != "name")
        elif name == "params":
            yield from ((f"param {param}", each) for param, each in value.items())
        elif name not in _IN_WORDS | {"name", "catch_up"}:
            yield name, value
    catch_up = stored.get("catch_up")  # of one with `exclude` within another
    yield "catch_up", next(iter(catch_up.values()), None) if isinstance(catch_up, dict) else catch_up
