"""The statements of the audit, which read whole tables as of one moment, and lock nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, false, func, or_, select

from lease.database.dialects import clock, now, other_boot, seconds_between
from lease.schema import lease, stale

from ..tables import backfill, job_run, pruned, replica, run, schedule
from .dialects import begin_snapshot, running
from .sets.replacements import replaced_by

SEEN_LATELY = 30.0
"""Seconds. A replica touches its entry every five."""


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Read the database as of one moment during the block; the connection must be in autocommit."""
    connection.execute(begin_snapshot(connection))
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def schedules(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the schedules, with the instant up to which runs of each may be gone as ``pruned_until``."""
    of = and_(pruned.c.application == schedule.c.application, pruned.c.schedule == schedule.c.name)
    query = select(schedule, pruned.c.until.label("pruned_until")).outerjoin(pruned, of)
    query = query.order_by(schedule.c.application, schedule.c.name)
    if application is not None:
        query = query.where(schedule.c.application == application)
    return list(connection.execute(query))


def runs(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the columns of each run that the audit needs."""
    query = select(
        run.c.id,
        run.c.application,
        run.c.schedule,
        run.c.scheduled_for,
        run.c.last_scheduled_for,
        run.c.count,
        run.c.trigger,
        run.c.state,
        run.c.lease_name,
        run.c.queue,
        run.c.token,
        run.c.holder,
        run.c.created_at,
        run.c.started_at,
        run.c.finished_at,
        run.c.cancelled_at,
        replaced_by(),
        run.c.digest,
        run.c.adopted_from,
        run.c.retry_of,
        run.c.backfill,
    ).order_by(run.c.id)
    if application is not None:
        query = query.where(run.c.application == application)
    return list(connection.execute(query))


def job_runs(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the columns of each job run that the audit needs."""
    query = select(
        job_run.c.id,
        job_run.c.run_id,
        job_run.c.job,
        job_run.c.state,
        job_run.c.token,
        job_run.c.holder,
        job_run.c.started_at,
        job_run.c.finished_at,
        job_run.c.carried_from,
    ).order_by(job_run.c.id)
    if application is not None:
        query = query.join(run, run.c.id == job_run.c.run_id).where(run.c.application == application)
    return list(connection.execute(query))


def backfills(connection: Connection, application: str | None) -> list[Row[Any]]:
    query = select(backfill).order_by(backfill.c.id)
    if application is not None:
        query = query.where(backfill.c.application == application)
    return list(connection.execute(query))


def leases(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(select(lease.c.name, lease.c.token, lease.c.holder, lease.c.granted_at)))


def stranded(connection: Connection, application: str | None, seconds: float) -> list[Row[Any]]:
    """Return the running runs whose grant is over, with the least time for which it has been over.

    Only runs that a replica could have settled: one that started ``seconds`` ago or earlier, and
    was seen lately.
    """
    another = or_(lease.c.token != run.c.token, func.coalesce(lease.c.holder != run.c.holder, false()))
    rebooted = other_boot(lease.c.boot, lease.c.uptime, lease.c.expires_at)
    left = case(
        (another, seconds_between(lease.c.granted_at, now())),
        # When the lease was freed is not recorded, except that it was after its last renewal.
        (or_(lease.c.holder.is_(None), rebooted), seconds_between(lease.c.renewed_at, now())),
        else_=seconds_between(lease.c.expires_at, clock()),
    )
    query = (
        select(run.c.id, run.c.lease_name, run.c.token, run.c.holder, left.label("seconds"))
        .outerjoin(lease, lease.c.name == run.c.lease_name)
        .where(running(), or_(another, lease.c.holder.is_(None), stale()), _attended(seconds))
        .order_by(run.c.id)
    )
    if application is not None:
        query = query.where(run.c.application == application)
    return list(connection.execute(query))


def _attended(seconds: float) -> ColumnElement[bool]:
    return exists().where(
        and_(
            replica.c.application == run.c.application,
            replica.c.state == "running",
            seconds_between(replica.c.started_at, now()) > seconds,
            seconds_between(replica.c.seen_at, now()) < SEEN_LATELY,
        )
    )
