"""The stored form of a schedule: what sync writes, and what planning reads back of it."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..errors import DaemonError, Place
from .definition import Mark, firsts, translated
from .schedule import Schedule
from .triggers.cron import forwards

_WITH_EXCLUDE = "with exclude"


class UnreadableDefinition(DaemonError):
    """A stored definition that this version of the package does not understand."""


def write_schedule(schedule: Schedule) -> str:
    """Return what is stored of a schedule; `Schedule.digest` says whether it has changed.

    One with `exclude` cannot be read by a version that does not know that, and would run what is due on those
    days: beside this version it plans none of it.
    """
    stored = schedule.canonical()
    if schedule.exclude:
        stored["catch_up"] = {_WITH_EXCLUDE: stored["catch_up"]}
    return json.dumps(stored, ensure_ascii=False)


def read_schedule(definition: str) -> Schedule:
    """Return what `write_schedule` wrote, without its jobs; raises `UnreadableDefinition`.

    A setting that is not in it has its default; a setting that only a later version knows is left out.
    """
    known: dict[str, object] = {}
    try:
        stored = json.loads(definition)
        known = _known(stored)
        return Schedule.model_validate(known)
    except ValidationError as error:
        raise _unreadable(translated(firsts(error)[0], known, Place())) from None
    except (TypeError, ValueError) as error:
        raise _unreadable(error) from error


def read_job_names(definition: str) -> tuple[str, ...]:
    """Return the names of the jobs of what `write_schedule` wrote, in order; raises `UnreadableDefinition`."""
    try:
        return tuple(job["name"] for job in json.loads(definition)["jobs"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(error) from error


def read_timing(definition: str) -> dict[str, Any] | None:
    """Return the `Schedule.timing` of what was stored; None if that cannot be read.

    Nothing but the timing need be readable.
    """
    try:
        stored = json.loads(definition)
        return Schedule.model_validate(_known(stored, Mark.TIMING)).timing()
    except (TypeError, ValueError):  # as of pydantic
        return None


def is_timed_alike(definition: str, schedule: Schedule) -> bool:
    """Return whether the settings of the timing were stored as they are now; if not, `read_timing` may say the same."""
    try:
        stored, own = json.loads(definition), schedule.stored()
        return all(stored.get(name) == own.get(name) for name in Schedule.settings(Mark.TIMING))
    except (AttributeError, ValueError):
        return False


def _known(stored: Mapping[str, Any], mark: Mark | None = None) -> dict[str, object]:
    """Return what is stored of the settings that this version knows, of those with ``mark`` if that is given."""
    known = {name: stored[name] for name in ("name", *Schedule.settings(mark)) if name in stored}
    if isinstance(cron := known.get("cron"), str):
        known["cron"] = forwards(cron)
    if isinstance(catch_up := known.get("catch_up"), Mapping):
        known["catch_up"] = catch_up.get(_WITH_EXCLUDE)
    return known


def _unreadable(error: Exception) -> UnreadableDefinition:
    return UnreadableDefinition(f"the stored definition cannot be read ({error}); sync the file that defines it")
