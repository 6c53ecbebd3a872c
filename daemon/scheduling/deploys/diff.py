"""The difference between two definitions of a schedule: what was set before, and what is set after. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row

from ...definitions.definition import Mark
from ...definitions.schedule import Schedule

TIMING = "timing"
"""When it is due, in words: stands for the settings that say so."""
_IN_WORDS = {"cron", "every", "at", "on_request", "trigger"}
"""What `TIMING` stands for."""
Diff = Mapping[str, tuple[Any, Any]]
"""By setting, what it was before and what it is after; ``job NAME, SETTING`` for those of a job."""


def diff(schedule: Schedule, row: Row[Any]) -> Diff:
    """Return in which settings a schedule differs from its row."""
    before, after = (
        dict(_settings(_read(row.definition), row.trigger)),
        dict(_settings(schedule.canonical(), str(schedule.trigger))),
    )
    keys = sorted(before.keys() | after.keys())
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


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
        elif name not in _IN_WORDS | {"name", "catch_up"}:
            yield name, value
    catch_up = stored.get("catch_up")  # of one with `exclude` within another
    yield "catch_up", next(iter(catch_up.values()), None) if isinstance(catch_up, dict) else catch_up
