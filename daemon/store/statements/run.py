"""The statements on `run`."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, null, or_, select, update

from lease.database.dialects import later, now
from lease.model import Grant

from ..tables import run
from .dialects import MOMENT, PENDING, SCHEDULED, agrees, among, among_keys, number, pending, running, unfinished


def extend(
    connection: Connection, application: str, name: str, *, scheduled_for: datetime, last: datetime, count: int
) -> int:
    """Extend a counted row to further instants; return the number of rows changed."""
    of_instant = (run.c.scheduled_for == scheduled_for, run.c.trigger == SCHEDULED)
    counted = update(run).where(run.c.application == application, run.c.schedule == name, *of_instant)
    extended = counted.where(run.c.last_scheduled_for.is_not(None))
    return connection.execute(extended.values(last_scheduled_for=last, count=count, finished_at=now())).rowcount


def name_leases(
    connection: Connection,
    application: str,
    name: str,
    lease_name: str,
    queue: str | None,
    *,
    per_run: bool,
    digest: str | None,
) -> None:
    """Set the lease name and the queue of a schedule's pending runs of this definition, which hold no lease."""
    wanted: ColumnElement[str] | str = lease_name + "/" + number(run.c.id) if per_run else lease_name
    connection.execute(
        update(run)
        .where(
            run.c.application == application,
            run.c.schedule == name,
            pending(),
            run.c.digest.is_not_distinct_from(digest),
            or_(run.c.lease_name != wanted, run.c.queue.is_distinct_from(queue)),
        )
        .values(lease_name=wanted, queue=queue)
    )


def let_wait(connection: Connection, application: str, name: str, digest: str | None) -> None:
    """Let a schedule's pending runs of this definition wait for their predecessors, but for the first of all that do
    not wait: it starts when it would have, after its retry's wait, say.
    """
    ahead = run.alias("ahead")
    waits_for_none = (unfinished(ahead), ahead.c.available_at.is_not(None))
    first = (
        select(ahead.c.id)
        .where(ahead.c.application == application, ahead.c.schedule == name, *waits_for_none)
        .order_by(ahead.c.state == PENDING, ahead.c.scheduled_for, ahead.c.id)  # first one that is at work
        .limit(1)
    )
    these = (run.c.application == application, run.c.schedule == name, pending(), run.c.available_at.is_not(None))
    connection.execute(
        update(run)
        .where(*these, run.c.digest.is_not_distinct_from(digest), run.c.id != first.scalar_subquery())
        .values(available_at=null())
    )


def name_own_leases(connection: Connection, ids: Collection[int], base: str) -> None:
    """Give each of these pending runs, which hold no lease, one of its own."""
    these = (among_keys(run.c.id, ids), agrees(run.c.state, PENDING))
    connection.execute(update(run).where(*these).values(lease_name=base + "/" + number(run.c.id)))


def at_work(connection: Connection, application: str) -> list[int]:
    """Return the runs of an application that are recorded as running."""
    query = select(run.c.id).where(run.c.application == application, run.c.state == "running")
    return list(connection.scalars(query.order_by(run.c.id)))


def read(connection: Connection, run_id: int) -> Row[Any] | None:
    return connection.execute(select(run).where(run.c.id == run_id)).one_or_none()


def leave_word(connection: Connection, run_id: int, grant: Grant, wait: float, reason: str | None) -> None:
    """Record what becomes of a run once it is settled: with a ``reason`` it has failed; else it waits."""
    ours = (run.c.id == run_id, running(), run.c.token == grant.token, run.c.holder == grant.holder)
    connection.execute(update(run).where(*ours).values(reason=reason, available_at=later(now(), wait)))


def late(connection: Connection, application: str) -> list[str]:
    """Return the schedules with runs that should have started by now but did not."""
    query = select(run.c.schedule).where(run.c.application == application, is_late())
    return list(connection.scalars(query.distinct()))


def mark_missed(connection: Connection, application: str, names: Collection[str], limit: int) -> Counter[str]:
    """Mark up to ``limit`` late runs of these schedules, which are locked, as missed; return how many by schedule."""
    overdue = select(run.c.id).where(run.c.application == application, among(run.c.schedule, names), is_late())
    longest = overdue.order_by(run.c.start_by).limit(limit).scalar_subquery()
    values = {"state": "skipped", "reason": "missed", "available_at": null(), "finished_at": now()}
    missed = update(run).where(run.c.id.in_(longest), is_late()).values(**values)
    return Counter(connection.scalars(missed.returning(run.c.schedule)))


def is_late() -> ColumnElement[bool]:
    """Return the condition that a run should have started by now but did not."""
    return and_(pending(), run.c.start_by.is_not(None), run.c.start_by < MOMENT, run.c.started_at.is_(None))
