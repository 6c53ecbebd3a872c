"""The statements on runs that are requested: what a trigger writes, and how such a run takes its place."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from lease.database.dialects import insert_missing, now, seconds_of
from lease.database.held.statement import Statement

from ..notices import WORK, channel_of
from ..tables import backfill, key_of, present_name, run, schedule, trigger_key
from . import dialects as sql

WHEN_FED = datetime(9999, 1, 1, tzinfo=UTC)
"""The moment for which the runs of backfills are requested, which never comes: they are fed (`plan_due.feed_due`)."""


def unplaced(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that a pending run has no place yet."""
    return and_(of.c.place_at.is_not(None), of.c.available_at.is_(None))


def placed(of: Any = run) -> ColumnElement[bool]:
    """Return the condition that an unfinished run has its place among those of its schedule, as the index has it."""
    return or_(of.c.place_at.is_(None), of.c.available_at.is_not(None))


def due(
    connection: Connection,
    application: str,
    limit: int,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[Row[Any]]:
    """Return up to ``limit`` unplaced runs (id, schedule) whose moment has come, the longest due
    first: of all schedules ``but`` for some, or of those of ``names``.

    The first ones are found before their moments are looked at: PostgreSQL takes it that a third of all runs were
    before a moment that it does not know yet, and would look at each that is not over.
    """
    of_these = ~sql.among(run.c.schedule, but) if names is None else sql.among(run.c.schedule, names)
    first = (
        select(run.c.id, run.c.schedule, run.c.place_at)
        .where(run.c.application == application, sql.pending, unplaced(), of_these)
        .order_by(run.c.place_at, run.c.id)
        .limit(limit)
        .subquery()
    )
    query = select(first.c.id, first.c.schedule).where(first.c.place_at <= sql.MOMENT)
    return list(connection.execute(query.order_by(first.c.place_at, first.c.id)))


def place(connection: Connection, runs: Iterable[tuple[int, bool]]) -> set[int]:
    """Give unplaced runs their places; return the ids of those that had none. Each is an id, and whether the run
    waits behind the unfinished ones of its schedule, which must be locked: then it is to be promoted
    (`claims.promote`). Otherwise it may start now.
    """
    placed = _PLACE(connection, {"runs": sql.as_rows((number, int(waits)) for number, waits in runs)})
    return {number for (number,) in placed}


_runs = sql.given("runs", number=int, waits=Integer)
_PLACE = Statement(
    update(run)
    .where(*sql.in_rows(_runs), sql.agrees(run.c.state, sql.PENDING), run.c.place_at.is_not(None))
    .values(place_at=null(), available_at=case((_runs.c.waits == 1, run.c.available_at), else_=now()))
    .returning(run.c.id)
)


MOST_FED = 100
"""The most backfills that one transaction feeds."""

_own, _other = run.alias("own"), run.alias("other")
_of_backfill = _own.c.backfill == backfill.c.id
_left = exists().where(_of_backfill, _own.c.state == sql.PENDING, unplaced(_own))


def _count(*where: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count(type_=Integer)).select_from(_own).where(_of_backfill, *where).scalar_subquery()


_at_work = _count(_own.c.state == sql.RUNNING) + _count(_own.c.state == sql.PENDING, _own.c.place_at.is_(None))
_others = exists().where(
    sql.same_schedule(_other, backfill),
    sql.unfinished(_other),
    placed(_other),
    _other.c.backfill.is_distinct_from(backfill.c.id),
)


_has_turn = and_(_at_work < backfill.c.at_most, ~_others)
_is_open = and_(backfill.c.placed_at.is_(None), backfill.c.cancelled_at.is_(None))
"""Runs of a backfill may still wait for their places, as the index has it."""
may_feed = and_(_is_open, backfill.c.paused_at.is_(None), or_(~_left, _has_turn))
"""Something is to be done for an open backfill: its next run may take its place, because fewer are unfinished than may
be and no other run of the schedule is; or none is left, and it is to be closed.
"""


def to_feed(
    connection: Connection, application: str, *, names: Collection[str] | None = None, but: Collection[str] = ()
) -> list[Row[Any]]:
    """Return (id, schedule, how many runs ``may_start``) of backfills to feed, in order, ``but`` some or of ``names``."""
    of_these = ~sql.among(backfill.c.schedule, but) if names is None else sql.among(backfill.c.schedule, names)
    query = select(backfill.c.id, backfill.c.schedule, (backfill.c.at_most - _at_work).label("may_start"))
    query = query.where(backfill.c.application == application, may_feed, of_these)
    return list(connection.execute(query.order_by(backfill.c.id).limit(MOST_FED)))


def next_runs(connection: Connection, backfill_id: int, limit: int) -> list[int]:
    """Return the first runs of a backfill that have no place yet, by their instants."""
    query = select(run.c.id).where(run.c.backfill == backfill_id, run.c.state == sql.PENDING, unplaced())
    return list(connection.scalars(query.order_by(run.c.scheduled_for, run.c.id).limit(limit)))


def close(connection: Connection, ids: Iterable[int]) -> None:
    """Record of these backfills, whose schedules are locked, that all of their runs have their places, if so it is."""
    which = (sql.among_keys(backfill.c.id, ids), _is_open, ~_left)
    connection.execute(update(backfill).where(*which).values(placed_at=now()))


def begin_to_write(application: str, name: str) -> Executable:
    """Change nothing, but take SQLite's write lock: what is read before it could change until the first write."""
    return update(schedule).where(*_of(application, name)).values(name=schedule.c.name)


def begin_to_read() -> Executable:
    """Ask for nothing: a driver that begins transactions by itself has one open afterwards."""
    return select(literal_column("1", Integer))


def read(application: str, name: str) -> Executable:
    """Return (definition, run digest, what retired it or "", the database's time in seconds, key) of a schedule,
    without a lock.
    """
    by = func.coalesce(schedule.c.retired_by, sql.constant("a deploy"))
    retired_by = case((schedule.c.retired_at.is_(None), sql.constant("")), else_=by)
    columns = (schedule.c.definition, schedule.c.run_digest, retired_by, seconds_of(now()), schedule.c.name)
    return select(*columns).where(*_of(application, name))


def renamed(application: str) -> Executable:
    """Return (what it is called, JSON of what it was called) of each schedule that was renamed."""
    query = select(schedule.c.called, schedule.c.former)
    return query.where(schedule.c.application == application, schedule.c.called.is_not(None))


def names(application: str) -> Executable:
    """Return the names of the schedules of an application that are not retired."""
    return select(present_name(schedule)).where(schedule.c.application == application, schedule.c.retired_at.is_(None))


def add(values: Mapping[str, Any]) -> Executable:
    """Insert a run, and return its id."""
    return insert(run).values(**values).returning(run.c.id)


def name_lease(run_id: int, name: str) -> Executable:
    """Name the lease of a run that has one of its own."""
    return update(run).where(run.c.id == run_id).values(lease_name=name)


def keyed(application: str, name: str, key: str) -> Executable:
    """Return the id of the run that was requested under a key, by what the schedule is called or by its key."""
    return select(trigger_key.c.run_id).where(*_of_key(application, name, key))


def take_key(application: str, name: str, key: str, at: datetime) -> Executable:
    """Insert a key, and return a row if it was free; wait for another transaction that is about to take it."""
    values = {"application": application, "schedule": name, "key": key, "run_id": 0, "created_at": at}
    return insert_missing(trigger_key).values(**values).returning(trigger_key.c.run_id)


def give_key(application: str, name: str, key: str, run_id: int) -> Executable:
    """Record the run of a key that was taken."""
    return update(trigger_key).where(*_of_key(application, name, key)).values(run_id=run_id)


def tell(application: str) -> Executable:
    """Notify replicas with the commit; only for a database that notifies."""
    return select(func.pg_notify(channel_of(application), str(WORK)))


def _of(application: str, name: str) -> tuple[Any, Any]:
    return schedule.c.application == application, schedule.c.name == key_of(application, name)


def _of_key(application: str, name: str, key: str) -> tuple[Any, Any, Any]:
    of = trigger_key.c
    return of.application == application, of.schedule == key_of(application, name), of.key == key
