"""The retries of runs: which may be tried again, and the runs that try them again."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Row, Text, and_, case, exists, func, literal, null, or_, select, true

from lease.database.dialects import Instant, insert_missing, later, now

from ...tables import ScheduleKey, job_run, run
from ..dialects import FAILED, among_keys, as_rows, columns, given, same_schedule
from ..requests import WHEN_FED

_schedules = given("schedules", application=str, name=str)
_retries = given("retries", number=int, lease_name=str, queue=str, waits=bool, digest=str)
_carried = given("carried", run_id=int, number=int, position=Integer)
_next = run.alias("next")


def find_failed(connection: Connection, schedules: Collection[ScheduleKey], within: float) -> list[Row[Any]]:
    """Return (id, application, schedule, scheduled_for, state) of the runs of these schedules that failed in
    the last ``within`` seconds, and that no other has tried again.
    """
    since = select(later(now(), -within)).scalar_subquery()
    query = (
        select(*columns(run, "id application schedule scheduled_for state"))
        .select_from(_schedules)
        .join(run, same_schedule(run, _schedules))
        .where(run.c.state == FAILED, run.c.finished_at >= since, ~exists().where(_next.c.retry_of == run.c.id))
        .order_by(run.c.application, run.c.schedule, run.c.id)
    )
    return list(connection.execute(query, {"schedules": as_rows(sorted(schedules))}))


def read_tried(connection: Connection, ids: Collection[int], *, lock: bool) -> list[Row[Any]]:
    """Return what a retry needs to know of these runs, by id, with the run that has tried each again. With ``lock``
    they are there until the end of the transaction; those that are being deleted are left out.
    """
    tried = columns(run, "id application schedule scheduled_for state reason digest forgotten_at")
    retried = (
        _next.c.id.label("retried_as"),
        _next.c.state.label("retried_state"),
        _next.c.requested_by.label("retried_by"),
        _next.c.requested_why.label("retried_why"),
    )
    query = select(*tried, *retried).outerjoin(_next, _next.c.retry_of == run.c.id)
    query = query.where(among_keys(run.c.id, ids)).order_by(run.c.id)
    return list(connection.execute(query.with_for_update(of=run, read=True, key_share=True) if lock else query))


def among_runs(connection: Connection, ids: Collection[int]) -> set[int]:
    """Return those of these runs that are for an instant of before: that try another run again, or fill it in."""
    of_before = or_(run.c.retry_of.is_not(None), run.c.backfill.is_not(None))
    return set(connection.scalars(select(run.c.id).where(among_keys(run.c.id, ids), of_before)))


def read_attempts(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Return (id, run_id, job, state) of the attempts of these runs, in the order of their starts."""
    query = select(job_run.c.id, job_run.c.run_id, job_run.c.job, job_run.c.state)
    return list(connection.execute(query.where(among_keys(job_run.c.run_id, ids)).order_by(job_run.c.id)))


def add(
    connection: Connection, rows: Iterable[Sequence[Any]], *, by: str, why: str | None, backfill: int | None = None
) -> dict[int, int]:
    """Insert a run for each that is tried again, whose schedules must be locked; return their ids by those of
    the runs before. Rows are (id of the run before, how the lease is named, queue, whether it waits, digest).

    Parameters, instant and occurrence are those of the run before, which may itself be a retry. Those of a
    ``backfill`` have no place yet.
    """
    first = and_(run.c.retry_of.is_(None), run.c.trigger == "manual")
    values = {
        "application": run.c.application,
        "schedule": run.c.schedule,
        "scheduled_for": run.c.scheduled_for,
        "trigger": literal("manual", Text),
        "state": literal("pending", Text),
        "lease_name": _retries.c.lease_name,
        "queue": _retries.c.queue,
        "available_at": case((_retries.c.waits, null()), else_=now()) if backfill is None else null(),
        "place_at": null() if backfill is None else literal(WHEN_FED, Instant()),
        "backfill": literal(backfill, run.c.backfill.type),
        "params": run.c.params,
        "digest": _retries.c.digest,
        "retry_of": run.c.id,
        "origin": case((first, run.c.id), else_=run.c.origin),
        "requested_by": literal(by, Text),
        "requested_why": literal(why, Text),
        "created_at": now(),
    }
    before = select(*values.values()).select_from(_retries).join(run, run.c.id == _retries.c.number)
    made = insert_missing(run).from_select(list(values), before.where(true()).order_by(run.c.id))
    added = connection.execute(made.returning(run.c.retry_of, run.c.id), {"retries": as_rows(rows)})
    return dict(tuple(row) for row in added)


def carry(connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Insert attempts that succeeded before, to be made no more: (id of the run, id of the attempt, position now)."""
    values = {
        "run_id": _carried.c.run_id,
        "job": job_run.c.job,
        "position": _carried.c.position,
        "attempt": literal(1, Integer),
        "state": literal("succeeded", Text),
        "token": job_run.c.token,
        "holder": job_run.c.holder,
        "started_at": job_run.c.started_at,
        "finished_at": job_run.c.finished_at,
        "carried_from": func.coalesce(job_run.c.carried_from, job_run.c.id),
    }
    done = select(*values.values()).select_from(_carried).join(job_run, job_run.c.id == _carried.c.number)
    done = done.where(true()).order_by(_carried.c.run_id, _carried.c.position)
    connection.execute(insert_missing(job_run).from_select(list(values), done), {"carried": as_rows(rows)})


def read_carried(connection: Connection, run_id: int) -> list[str]:
    """Return the jobs of a run that were carried over, in order."""
    query = select(job_run.c.job).where(job_run.c.run_id == run_id, job_run.c.carried_from.is_not(None))
    return list(connection.scalars(query.order_by(job_run.c.position)))
