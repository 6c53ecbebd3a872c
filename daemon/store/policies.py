"""The policies in a stored definition, for those who show it: reading the whole, with its checks, takes 50 times as long."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..states import LONG_LEVELS, LongLevel

GivenLong = Mapping[LongLevel, float] | Literal[False] | None
"""From how many seconds on a run is long, False: never; None: nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What a stored definition says about a few settings; what it leaves out is the default."""

    timezone: str
    overlap: str
    catch_up: str
    enabled: bool
    start_within: float | None
    finish_by: float | str | None
    excludes: bool
    """It has days on which it does not run."""
    long: GivenLong


def read_policies(definition: str) -> Policies:
    """Return the policies of the stored JSON; the defaults of one that cannot be read."""
    try:
        given = dict(json.loads(definition))
    except (TypeError, ValueError):
        given = {}
    catch_up = given.get("catch_up", "latest")
    return Policies(
        given.get("timezone", "UTC"),
        given.get("overlap", "skip"),
        next(iter(catch_up.values())) if isinstance(catch_up, Mapping) else catch_up,  # of one with `exclude`
        bool(given.get("enabled", True)),
        start_within if isinstance(start_within := given.get("start_within"), (int, float)) else None,
        given.get("finish_by"),
        bool(given.get("exclude")),
        _long(given.get("long")),
    )


def _long(given: object) -> GivenLong:
    if not isinstance(given, Mapping):
        return False if given is False else None
    return {level: given[level] for level in LONG_LEVELS if level in given}
