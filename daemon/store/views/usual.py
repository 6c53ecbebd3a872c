"""How long the runs of a schedule usually take: the median and p95 of the latest that succeeded."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from sqlalchemy import Connection, and_, func, select

from lease.database.dialects import seconds_between

from ..schedule_key import ScheduleKey
from ..statements.dialects import among_keys
from ..tables import run, schedule
from .names import Called

_LATEST = 100
_LOOKED_AT = 2_000
"""Rows: a run that takes hours may have a thousand skipped ones after it."""


@dataclass(frozen=True, slots=True)
class Usual:
    """How long the latest runs that succeeded took, in seconds."""

    median: float
    p95: float
    """19 of 20 took no longer."""
    runs: int


def usual_seconds(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, float]:
    """Return the usual duration of these schedules' runs, without those that have no history."""
    return {key: usual.median for key, usual in read_usual(connection, schedules).items()}


def read_usual(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, Usual]:
    """Return how long these schedules' runs take, without those that have no history."""
    if not schedules:
        return {}
    names = Called(connection)
    keys = sorted((application, names.key(application, name)) for application, name in schedules)
    earlier = run.alias("earlier")
    ours = and_(earlier.c.application == schedule.c.application, earlier.c.schedule == schedule.c.name)
    # It reads the index on (application, schedule, id) from its end.
    latest = select(earlier.c.id).where(ours).order_by(earlier.c.id.desc()).correlate(schedule)
    oldest = func.coalesce(latest.offset(_LOOKED_AT - 1).limit(1).scalar_subquery(), 0)
    same = and_(run.c.application == schedule.c.application, run.c.schedule == schedule.c.name)
    succeeded = (
        select(
            run.c.application,
            run.c.schedule,
            seconds_between(run.c.started_at, run.c.finished_at).label("took"),
            func.row_number()
            .over(partition_by=(run.c.application, run.c.schedule), order_by=run.c.id.desc())
            .label("place"),
        )
        .select_from(schedule.join(run, same))
        .where(
            among_keys((schedule.c.application, schedule.c.name), keys),
            run.c.state == "succeeded",
            run.c.id >= oldest,
        )
        .subquery("succeeded")
    )
    took: dict[ScheduleKey, list[float]] = defaultdict(list)
    columns = succeeded.c.application, succeeded.c.schedule, succeeded.c.took
    for application, name, seconds in connection.execute(select(*columns).where(succeeded.c.place <= _LATEST)):
        took[application, names.name(application, name)].append(seconds)
    return {named: _usual(sorted(seconds)) for named, seconds in took.items()}


def _usual(seconds: Sequence[float]) -> Usual:
    return Usual(median(seconds), seconds[ceil(0.95 * len(seconds)) - 1], len(seconds))
