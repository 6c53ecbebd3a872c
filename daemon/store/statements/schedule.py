"""The statements on `schedule`: its sync, what is due of it, its locks, and its pauses."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, insert, literal_column, null, select, update

from lease.database.backend import backend_of
from lease.database.dialects import insert_missing, now
from lease.schema import lease

from ..tables import ScheduleKey, run, schedule
from .dialects import MOMENT, SCHEDULED, among, are, may_idle, same_schedule, turn, unfinished
from .requests import placed

_SOON: ColumnElement[datetime] = literal_column("statement_timestamp() + interval '1 minute'")
"""A moment that PostgreSQL knows as it plans a statement: it takes it that a third of all schedules are before one that
it doesn't, and would look at each of a million. It counts from the statement: a transaction may have waited for longer.
"""
_SYNC_COMPUTES = 10.0
"""Seconds that a sync of thousands of schedules may take between two statements."""


def take_turn(connection: Connection, application: str) -> datetime:
    """Wait until no other sync of this application runs, then return the database's time."""
    connection.execute(select(turn(f"sync/{application}")).where(may_idle(_SYNC_COMPUTES)))
    return database_time(connection)


def database_time(connection: Connection) -> datetime:
    """Return the time of the database's clock (rule 1)."""
    return connection.execute(select(now())).scalar_one()


def of_application(
    connection: Connection, application: str, *, lock: bool, names: Collection[str] | None = None
) -> list[Row[Any]]:
    """Return all schedules of an application, including retired ones, by name; or those of ``names``."""
    query = select(schedule).where(schedule.c.application == application).order_by(schedule.c.name)
    if names is not None:
        query = query.where(among(schedule.c.name, names))
    return list(connection.execute(query.with_for_update(key_share=True) if lock else query))


def add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert schedules."""
    if rows:
        connection.execute(insert(schedule), list(rows))


def change(connection: Connection, application: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update columns of schedules, the same of each; ``name`` says which it is."""
    if not rows:
        return
    key = {"name": "of_name"}
    which = (schedule.c.application == application, schedule.c.name == bindparam("of_name"))
    values: dict[str, Any] = {column: bindparam(column) for column in rows[0] if column not in key}
    connection.execute(
        update(schedule).where(*which).values(values),
        [{key.get(column, column): value for column, value in row.items()} for row in rows],
    )


def retire(connection: Connection, application: str, names: Collection[str], at: datetime, by: str | None) -> None:
    """Mark schedules, which keep no instants, as retired (rule 17) ``by`` a generation or who ended the application."""
    retired = update(schedule).where(schedule.c.application == application, among(schedule.c.name, names))
    connection.execute(retired.values(retired_at=at, retired_by=by, next_due=null(), changed_at=at, synced_at=at))


def prepare_leases(connection: Connection, names: Iterable[str]) -> None:
    """Insert missing lease rows, so that no claim need do it; always in the same order."""
    if rows := [{"name": name} for name in sorted(set(names))]:
        connection.execute(insert_missing(lease), rows)


def due(
    connection: Connection,
    application: str,
    limit: int,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[Row[Any]]:
    """Lock and return schedules that are due, all or those of ``names``, ``but`` for some; the longest due first; skip
    locked ones. If more than half of ``limit`` are due, the rest of them are those that became due last.

    Each row has the database's time as ``now``.
    """
    query = (
        select(schedule, now().label("now"))
        .where(
            schedule.c.application == application,
            schedule.c.next_due <= MOMENT,
            *([schedule.c.next_due <= _SOON] if backend_of(connection).has_own_clock else []),
            ~among(schedule.c.name, but) if names is None else among(schedule.c.name, names),
        )
        .with_for_update(skip_locked=True, key_share=True)
    )
    oldest = query.order_by(schedule.c.next_due, schedule.c.name).limit(limit - limit // 2)
    found = list(connection.execute(oldest))
    if len(found) < limit - limit // 2:
        return found
    newest = query.order_by(schedule.c.next_due.desc(), schedule.c.name.desc()).limit(limit // 2)
    known = {row.name for row in found}
    return found + [row for row in reversed(list(connection.execute(newest))) if row.name not in known]


def still_running(connection: Connection, application: str, names: Collection[str]) -> set[str]:
    """Return those of the schedules that have an unfinished run (rule 14), which has its place; lock them first.
    A run of a backfill is none of these: it stands behind what the schedule is due for, and skips none of it.
    """
    # A subquery for each name: PostgreSQL would make a join of an EXISTS, and in a table that has grown at once,
    # of which it has no statistics yet, one that compares all runs with all names.
    one = select(run.c.id).where(same_schedule(run), unfinished(), placed(), run.c.backfill.is_(None)).limit(1)
    query = select(schedule.c.name).where(
        schedule.c.application == application,
        among(schedule.c.name, names),
        one.correlate(schedule).scalar_subquery().is_not(None),
    )
    return set(connection.scalars(query))


def lock(connection: Connection, application: str, name: str) -> Row[Any] | None:
    """Lock a schedule, waiting for it if necessary, and return it."""
    query = select(schedule).where(schedule.c.application == application, schedule.c.name == name)
    return connection.execute(query.with_for_update(key_share=True)).one_or_none()


def lock_all(connection: Connection, keys: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Lock schedules, waiting for them if necessary, in the one order of all transactions, and return them."""
    query = select(schedule).where(are(keys)).order_by(schedule.c.application, schedule.c.name)
    return list(connection.execute(query.with_for_update(key_share=True)))


def lock_free(connection: Connection, keys: Collection[ScheduleKey]) -> set[ScheduleKey]:
    """Lock and return those of the schedules (application, name) that are not locked."""
    key = (schedule.c.application, schedule.c.name)
    query = select(*key).where(are(keys)).order_by(*key).with_for_update(skip_locked=True, key_share=True)
    return {(application, name) for application, name in connection.execute(query)}


# The pauses: of one, of all with a tag, or of an application (rule 23)

PAUSE = ("paused_at", "paused_by", "paused_why", "paused_until")


def begin_pause(
    connection: Connection,
    keys: Collection[ScheduleKey],
    *,
    at: datetime,
    by: str,
    why: str | None,
    until: datetime | None,
) -> None:
    """Mark schedules as paused from a moment on. What did not run before counts as a stretch of its own."""
    values = {"paused_at": at, "paused_by": by, "paused_why": why, "paused_until": until}
    nothing = {name: null() for name in ("stretch_reason", "stretch_count", "stretch_from")}
    connection.execute(update(schedule).where(are(keys)).values(**values, **nothing))


def change_pause(
    connection: Connection, keys: Collection[ScheduleKey], *, by: str, why: str | None, until: datetime | None
) -> None:
    """Set who has schedules paused, why, or until when, as far as it is given; since when stays."""
    given = {name: value for name, value in (("paused_why", why), ("paused_until", until)) if value is not None}
    connection.execute(update(schedule).where(are(keys)).values(paused_by=by, **given))


def end_pause(connection: Connection, keys: Collection[ScheduleKey]) -> None:
    """Mark schedules as not paused."""
    connection.execute(update(schedule).where(are(keys)).values({name: null() for name in PAUSE}))


def skipped_in_pause(connection: Connection, keys: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many instants of these schedules were skipped since they were paused."""
    ours = (same_schedule(run), run.c.trigger == SCHEDULED)
    query = (
        select(schedule.c.application, schedule.c.name, func.sum(run.c.count))
        .where(are(keys), *ours, run.c.scheduled_for > schedule.c.paused_at, run.c.reason == "paused")
        .group_by(schedule.c.application, schedule.c.name)
    )
    return {(application, name): int(count) for application, name, count in connection.execute(query)}
