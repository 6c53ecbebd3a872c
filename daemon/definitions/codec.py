"""Reading a definition back from the database: what planning needs of it, for all its jobs are code."""

import json
from typing import Any

from ..errors import DaemonError
from ..instants import parse_instant
from .model import Schedule
from .triggers.trigger import At, Cron, Every, Trigger


class UnreadableDefinition(DaemonError):
    """A stored definition that this version of the package does not understand."""


def read_schedule(definition: str) -> Schedule:
    """Return what `Schedule.canonical` wrote, without its jobs; raises `UnreadableDefinition`."""
    try:
        stored = json.loads(definition)
        return Schedule(
            name=stored["name"],
            trigger=_trigger(stored),
            timezone=stored["timezone"],
            starts=parse_instant(stored["starts"]) if stored["starts"] else None,
            ends=parse_instant(stored["ends"]) if stored["ends"] else None,
            catch_up=_known(stored, "catch_up", "skip", "latest", "all"),
            start_within=stored["start_within"],
            overlap=_known(stored, "overlap", "skip", "queue", "allow"),
            lock=stored["lock"],
            on_failure=stored["on_failure"],
            jitter=stored["jitter"],
            params=stored["params"],
            enabled=stored["enabled"],
            description=stored["description"],
            tags=tuple(stored["tags"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableDefinition(
            f"the stored definition cannot be read ({type(error).__name__}: {error}); sync the file that defines it"
        ) from error


def _trigger(stored: dict[str, Any]) -> Trigger:
    if "cron" in stored:
        return Cron(stored["cron"])
    if "every" in stored:
        return Every(stored["every"])
    return At(parse_instant(stored["at"]))


def _known(stored: dict[str, Any], field: str, *values: Any) -> Any:
    if stored[field] not in values:
        raise ValueError(f"{field} is {stored[field]!r}")
    return stored[field]
