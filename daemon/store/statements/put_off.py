"""The statements on runs that a clock which had jumped has put off.

A start is written by the clock: that of a run that is put back, follows on another or takes its place. Only
the start of a due instant is not, which is that instant and its `jitter`.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, Double, Text, and_, bindparam, or_, select, union, update

from lease.database.dialects import later, now
from lease.database.held.statement import Statement

from ..tables import run, schedule
from .dialects import MOMENT, SCHEDULED, among, as_rows, given, of_schedule, pending, same_schedule, unfinished


class Allowed(NamedTuple):
    """How much later the runs of a schedule may be meant to start, in seconds."""

    schedule: str
    run_digest: str
    digest: str
    jitter: float
    """After a due instant, by this definition."""
    wait: float
    """From now on."""


def find_late_starts(
    connection: Connection, application: str, queues: Collection[str], longest_wait: float
) -> set[str]:
    """Return the schedules with runs, in no queue or in these, that start in more than ``longest_wait`` seconds."""
    late = (run.c.application == application, pending(), run.c.available_at > later(MOMENT, longest_wait))
    query = select(run.c.schedule).where(*late)
    return set(connection.scalars(union(query.where(run.c.queue.is_(None)), query.where(among(run.c.queue, queues)))))


def start(connection: Connection, application: str, allowed: Iterable[Allowed]) -> int:
    """Let the runs start now that are to start later than is ``allowed``; return how many. How much later a due
    instant may start that was planned by another definition is not known: its run is left alone.
    """
    return len(_START(connection, {"of_application": application, "allowed": as_rows(allowed)}))


_allowed = given("allowed", schedule=Text, run_digest=Text, digest=Text, jitter=Double, wait=Double)
_of_instant = and_(run.c.trigger == SCHEDULED, run.c.attempt == 0)
_beyond_jitter = and_(
    schedule.c.digest == _allowed.c.digest,
    run.c.scheduled_for > schedule.c.changed_at,
    run.c.available_at > later(run.c.scheduled_for, _allowed.c.jitter),
)
_START = Statement(
    update(run)
    .where(
        *of_schedule(run, bindparam("of_application", type_=Text()), _allowed.c.schedule),
        same_schedule(schedule, run),
        unfinished(),
        pending(),
        run.c.digest == _allowed.c.run_digest,
        run.c.available_at > later(now(), _allowed.c.wait),
        or_(~_of_instant, _beyond_jitter),
    )
    .values(available_at=now())
    .returning(run.c.id)
)
