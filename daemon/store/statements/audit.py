"""The statements of the audit, which read whole tables as of one moment, and lock nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, case, exists, false, func, or_, select

from lease.database.backend import backend_of
from lease.database.dialects import clock, now, other_boot, seconds_between
from lease.schema import lease, stale

from ..tables import backfill, job_run, pruned, replica, run, schedule
from .dialects import columns, if_given, running, same_schedule
from .schedule import replaced_by

SEEN_LATELY = 30.0
"""Seconds. A replica touches its entry every five."""


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Read the database as of one moment during the block; the connection must be in autocommit."""
    one_writer = backend_of(connection).has_one_writer
    connection.exec_driver_sql("BEGIN" if one_writer else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def schedules(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the schedules, with the instant up to which runs of each may be gone as ``pruned_until``."""
    query = select(schedule, pruned.c.until.label("pruned_until")).outerjoin(pruned, same_schedule(pruned))
    query = query.order_by(schedule.c.application, schedule.c.name)
    return list(connection.execute(query.where(*if_given(schedule.c.application, application))))


def runs(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the columns of each run that the audit needs."""
    query = select(
        *columns(run, "id application schedule scheduled_for last_scheduled_for count trigger state"),
        *columns(run, "lease_name queue token holder created_at started_at finished_at cancelled_at"),
        replaced_by,
        *columns(run, "digest adopted_from retry_of backfill"),
    ).order_by(run.c.id)
    return list(connection.execute(query.where(*if_given(run.c.application, application))))


def job_runs(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return the columns of each job run that the audit needs."""
    names = "id run_id job state token holder started_at finished_at carried_from"
    query = select(*columns(job_run, names)).order_by(job_run.c.id)
    if application is not None:
        query = query.join(run, run.c.id == job_run.c.run_id).where(run.c.application == application)
    return list(connection.execute(query))


def backfills(connection: Connection, application: str | None) -> list[Row[Any]]:
    query = select(backfill).order_by(backfill.c.id).where(*if_given(backfill.c.application, application))
    return list(connection.execute(query))


def leases(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(select(lease.c.name, lease.c.token, lease.c.holder, lease.c.granted_at)))


def stranded(connection: Connection, application: str | None, seconds: float) -> list[Row[Any]]:
    """Return the running runs whose grant is over, with the least time for which it has been over.

    Only runs that a replica could have settled: one that started ``seconds`` ago or earlier, and was seen lately.
    """
    another = or_(lease.c.token != run.c.token, func.coalesce(lease.c.holder != run.c.holder, false()))
    rebooted = other_boot(lease.c)
    left = case(
        (another, seconds_between(lease.c.granted_at, now())),
        # When the lease was freed is not recorded, except that it was after its last renewal.
        (or_(lease.c.holder.is_(None), rebooted), seconds_between(lease.c.renewed_at, now())),
        else_=seconds_between(lease.c.expires_at, clock()),
    )
    attended = exists().where(
        replica.c.application == run.c.application,
        replica.c.state == "running",
        seconds_between(replica.c.started_at, now()) > seconds,
        seconds_between(replica.c.seen_at, now()) < SEEN_LATELY,
    )
    query = (
        select(run.c.id, run.c.lease_name, run.c.token, run.c.holder, left.label("seconds"))
        .outerjoin(lease, lease.c.name == run.c.lease_name)
        .where(running, or_(another, lease.c.holder.is_(None), stale()), attended)
        .order_by(run.c.id)
    )
    return list(connection.execute(query.where(*if_given(run.c.application, application))))
