"""What generations changed of their schedules: what was set before, and what is set after."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from ..store.views.generations import read_diff
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


def setting_text(value: object) -> str:
    """Return the value of a setting as text: a string as it is, and all else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def read_changed(connection: Connection, standings: Iterable[GenerationStanding]) -> list[Changed]:
    """Return what these generations changed when their definitions last came into the database."""
    from ..scheduling.deploys.diff import is_timing_only  # noqa: PLC0415 - the definitions, and all that they load

    found = []
    for one in standings:
        diff = read_diff(connection, one.application, one.number)
        for name, settings in () if diff is None else diff.settings.items():
            how: Literal["retimed", "changed"] = "retimed" if is_timing_only(settings) else "changed"
            changes = tuple(ChangedSetting(key, *change) for key, change in settings.items())
            found.append(Changed(one.application, name, how, changes))
    return found
