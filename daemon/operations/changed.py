"""What generations changed of their schedules: what was set before, and what is set after."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from lease.durations import format_duration

from ..definitions.toml_text import DURATIONS
from ..store.views.generations import read_diffs
from .generations import GenerationStanding


@dataclass(frozen=True, slots=True)
class ChangedSetting:
    """A setting that a generation changed."""

    setting: str
    """``timing``, ``job NAME, SETTING`` of a job, or ``param NAME``."""
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Changed:
    """A schedule that a generation changed."""

    application: str
    schedule: str
    how: Literal["retimed", "changed"]
    """retimed: it is due at other times, and executes the same."""
    settings: tuple[ChangedSetting, ...]


def setting_text(setting: str, value: object) -> str:
    """Return the value of ``setting`` as text: a duration as people write it, a string as it is, and all else as JSON."""
    if value is None:
        return "not set"
    if isinstance(value, float) and setting.rpartition(", ")[2] in DURATIONS:
        return format_duration(value)
    if isinstance(value, Mapping) and setting == "long":
        return ", ".join(f"{level} {format_duration(seconds)}" for level, seconds in value.items())
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def read_changed(connection: Connection, standings: Sequence[GenerationStanding]) -> list[Changed]:
    """Return what these generations changed when their definitions last came into the database."""
    from ..scheduling.deploys.diff import is_timing_only  # noqa: PLC0415 - the definitions, and all that they load

    found, keys = [], [(one.application, one.number) for one in standings]
    diffs = read_diffs(connection, keys)
    for one in standings:
        diff = diffs.get((one.application, one.number))
        for name, settings in () if diff is None else diff.settings.items():
            how: Literal["retimed", "changed"] = "retimed" if is_timing_only(settings) else "changed"
            changes = tuple(ChangedSetting(key, *change) for key, change in settings.items())
            found.append(Changed(one.application, name, how, changes))
    return found
