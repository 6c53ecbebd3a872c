"""How long runs of a schedule usually take, by the latest that succeeded; and whether one is long compared with that."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import ceil
from statistics import median
from types import MappingProxyType

from sqlalchemy import Connection, select

from lease.database.dialects import seconds_between

from ...states import LongLevel
from ...text import how_long, lasted
from ..policies import GivenLong
from ..statements.dialects import as_json_array, newest_first, same_schedule
from ..tables import ScheduleKey, run, schedule
from .names import of_each

_LATEST = 100
_FEWEST = 10
_FOR_MEDIAN = 20
"""So many of the latest runs make the median by which the next success is expected; to read more takes longer."""
_TOGETHER = 50_000
"""Runs: of more than 500 schedules at once, fewer than `_LATEST` of each are read, but `_FEWEST` at least."""
_LOOKED_AT = 2_000
"""Rows: a run that takes hours may have a thousand skipped ones after it."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the latest runs that succeeded took, in seconds."""

    median: float
    p95: float
    """19 of 20 took no longer."""
    runs: int
    median_wait: float = 0.0
    """From their scheduled time until they started."""


def usually(known: Usual | None) -> str:
    """Return how long runs of a schedule usually take: `` (usually 12s, p95 14s)``."""
    if known is None:
        return ""
    return f" (usually {lasted(known.median)}, p95 {lasted(known.p95)})"


def usual_seconds(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, float]:
    """Return the usual duration of these schedules' runs, without those that have no history."""
    return {key: usual.median for key, usual in read_usual(connection, schedules, latest=_FOR_MEDIAN).items()}


def read_usual(
    connection: Connection, schedules: Collection[ScheduleKey], latest: int = _LATEST
) -> dict[ScheduleKey, Usual]:
    """Return how long the ``latest`` runs of each of these schedules took, without those that have no history."""
    if not schedules:
        return {}
    took = seconds_between(run.c.started_at, run.c.finished_at).label("took")
    # It reads the index on (application, schedule, id) from its end, until it has found enough.
    waited = seconds_between(run.c.scheduled_for, run.c.started_at).label("waited")
    rows_back = select(run.c.id, run.c.state, took, waited).where(same_schedule(run)).order_by(run.c.id.desc())
    looked_at = rows_back.limit(_LOOKED_AT).correlate(schedule).subquery("looked_at")
    succeeded = select(looked_at.c.took, looked_at.c.waited).where(looked_at.c.state == "succeeded")
    succeeded = newest_first(connection, succeeded, looked_at.c.id)
    newest = succeeded.limit(max(_FEWEST, min(latest, _TOGETHER // len(schedules)))).subquery("latest")
    # Both in one: to look the runs up is what takes long.
    usual = {}
    for key, both in of_each(connection, schedules, select(as_json_array(newest.c.took, newest.c.waited))).items():
        if runs := json.loads(both or "[]"):
            seconds, waits = (sorted(each) for each in zip(*runs, strict=True))
            usual[key] = Usual(median(seconds), seconds[ceil(0.95 * len(seconds)) - 1], len(seconds), median(waits))
    return usual


ENOUGH_RUNS = 10
"""Successful runs after which the usual duration of a schedule says what is unusual."""
UNUSUAL = 1.5
"""A run that takes longer than so many times the p95 is unusual."""
_THRESHOLDS: Mapping[LongLevel, float] = MappingProxyType({"warn": 600.0, "critical": 1800.0, "emergency": 3000.0})
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Long:
    """That a run has been running for long."""

    level: LongLevel
    threshold: float
    """The seconds from which on it is at this level."""
    usual: Usual | None

    @property
    def text(self) -> str:
        """It in words, as the end of a sentence."""
        return how_long(self.level, self.threshold)


def may_be_long(seconds: float, given: GivenLong) -> bool:
    """Return whether a run that has been running for so long can be long, however long its runs usually take."""
    return seconds > min(thresholds(given, None).values(), default=math.inf)


def thresholds(given: GivenLong, usual: Usual | None) -> Mapping[LongLevel, float]:
    """Return from how many seconds on a run is at each level: as given, or by default but not before it is unusual."""
    if given is not None:
        return given or {}
    if usual is None or usual.runs < ENOUGH_RUNS:
        return _THRESHOLDS
    return {level: max(seconds, UNUSUAL * usual.p95) for level, seconds in _THRESHOLDS.items()}


def long_for(seconds: float, given: GivenLong, usual: Usual | None) -> Long | None:
    """Return the highest level of a run that has been running for so many seconds; None: it is not long."""
    passed = [Long(level, least, usual) for level, least in thresholds(given, usual).items() if seconds > least]
    return passed[-1] if passed else None
