"""The statements on `schedule`: their sync, their locks, the plans of what is due, and pauses."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Text,
    bindparam,
    case,
    cast,
    exists,
    func,
    insert,
    null,
    select,
    true,
    update,
)

from lease.database.backend import backend_of
from lease.database.dialects import insert_missing, now
from lease.database.held.statement import Statement
from lease.schema import lease

from ..tables import Reader, ScheduleKey, run, schedule
from . import dialects as sql
from .requests import placed
from .run import marked


def take_turn(connection: Connection, application: str) -> datetime:
    """Wait until no other sync of this application runs, then return the database's time."""
    connection.execute(select(sql.turn(f"sync/{application}")).where(sql.may_idle()))
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
        query = query.where(sql.among(schedule.c.name, names))
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
    retired = update(schedule).where(schedule.c.application == application, sql.among(schedule.c.name, names))
    connection.execute(retired.values(retired_at=at, retired_by=by, next_due=null(), changed_at=at, synced_at=at))


def prepare_leases(connection: Connection, names: Iterable[str]) -> None:
    """Insert missing lease rows, so that no claim need do it; always in the same order."""
    if rows := [{"name": name} for name in sorted(set(names))]:
        connection.execute(insert_missing(lease), rows)


def lock(connection: Connection, application: str, name: str) -> Row[Any] | None:
    """Lock a schedule, waiting for it if necessary, and return it."""
    query = select(schedule).where(schedule.c.application == application, schedule.c.name == name)
    return connection.execute(query.with_for_update(key_share=True)).one_or_none()


def lock_all(connection: Connection, keys: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Lock schedules, waiting for them if necessary, in the one order of all transactions, and return them."""
    query = select(schedule).where(sql.are(keys)).order_by(schedule.c.application, schedule.c.name)
    return list(connection.execute(query.with_for_update(key_share=True)))


def lock_free(connection: Connection, keys: Collection[ScheduleKey]) -> set[ScheduleKey]:
    """Lock and return those of the schedules (application, name) that are not locked."""
    key = (schedule.c.application, schedule.c.name)
    query = select(*key).where(sql.are(keys)).order_by(*key).with_for_update(skip_locked=True, key_share=True)
    return {(application, name) for application, name in connection.execute(query)}


# The plans: what is due, the runs of it, and that the schedules have moved on (rule 13)


class DueSchedule(NamedTuple):
    """A schedule that is due, as the database has it at ``now``."""

    name: str
    definition: str
    digest: str
    run_digest: str | None
    anchor: datetime
    planned_until: datetime
    paused_at: datetime | None
    paused_until: datetime | None
    stretch_reason: Any
    stretch_count: int | None
    stretch_from: datetime | None
    now: datetime


_DUE = Reader(DueSchedule, schedule, now=now())


@cache
def _due(*, has_own_clock: bool, all_but: bool, newest: bool) -> Statement:
    of_these = sql.among_given(schedule.c.name, "names")
    which = [schedule.c.application == _of_application, schedule.c.next_due <= sql.MOMENT]
    soon = [schedule.c.next_due <= sql.SOON] if has_own_clock else []
    query = select(*_DUE.columns).where(*which, *soon, ~of_these if all_but else of_these)
    order = [column.desc() if newest else column for column in (schedule.c.next_due, schedule.c.name)]
    limit = bindparam("limit", type_=Integer)
    return Statement(query.order_by(*order).limit(limit).with_for_update(skip_locked=True, key_share=True))


def due(
    connection: Connection,
    application: str,
    limit: int,
    *,
    names: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[DueSchedule]:
    """Lock and return schedules that are due, all or those of ``names``, ``but`` for some; the longest due first; skip
    locked ones. If more than half of ``limit`` are due, the rest of them are those that became due last.
    """

    def find(most: int, *, newest: bool) -> list[DueSchedule]:
        statement = _due(has_own_clock=backend_of(connection).has_own_clock, all_but=names is None, newest=newest)
        values = {"of_application": application, "names": list(but if names is None else names), "limit": most}
        return list(map(_DUE.read, statement(connection, values)))

    found = find(limit - limit // 2, newest=False)
    if len(found) < limit - limit // 2:
        return found
    known = {row.name for row in found}
    return found + [row for row in reversed(find(limit // 2, newest=True)) if row.name not in known]


def still_running(connection: Connection, application: str, names: Collection[str]) -> tuple[set[str], set[str]]:
    """Return those of the schedules that have an unfinished run (rule 14), which has its place, and those that have such
    a run of a backfill: that stands behind what the schedule is due for, and skips none of it. Lock them first.
    """
    rows = _STILL_RUNNING(connection, {"of_application": application, "names": list(names)})
    return {name for name, one, _ in rows if one is not None}, {name for name, _, one in rows if one is not None}


NEW_RUN = sql.types_of(
    run,
    "schedule scheduled_for last_scheduled_for count state reason lease_name queue available_at start_by finish_by "
    "params digest created_at finished_at away_from overlapped overlapped_by",
)
"""The columns of the run of a due instant, in their order."""
MOVED_ON = sql.types_of(schedule, "name next_due planned_until stretch_reason stretch_count stretch_from")
"""The columns of a schedule that has moved on, in their order."""


def add_runs(connection: Connection, application: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert runs (`NEW_RUN`), except for instants that have one; return how many were inserted."""
    runs = sql.as_rows([[row[name] for name in NEW_RUN] for row in rows])
    return len(_ADD(connection, {"of_application": application, "runs": runs}))


def unfinished_of_each(
    connection: Connection, application: str, names: Collection[str]
) -> dict[str, tuple[int, str | None]]:
    """Return an unfinished run of each schedule, but for backfills, best one at work, and the label of who has it."""
    rows = _UNFINISHED(
        connection, {"of_application": application, "names": sql.as_rows((name,) for name in sorted(names))}
    )
    return {name: (run_id, label) for name, run_id, label in rows}


def name_leases(connection: Connection, application: str, rows: Iterable[Sequence[Any]]) -> None:
    """Give pending runs, which hold none, leases of their own, by (schedule, how the names begin, digest)."""
    _NAME_LEASES(connection, {"named": sql.as_rows((application, *row) for row in rows)})


def move_on(connection: Connection, application: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Move schedules (`MOVED_ON`) on, which must be locked."""
    _MOVE_ON(connection, {"moved": sql.as_rows([[application, *[row[name] for name in MOVED_ON]] for row in rows])})


_of_application = sql.parameter("of_application")
# A subquery for each name: PostgreSQL would make a join of an EXISTS, and in a table that has grown at once, of which it
# has no statistics yet, one that compares all runs with all names.
_in_place = (
    select(run.c.id)
    .where(sql.same_schedule(run), sql.unfinished(), placed())
    .order_by(run.c.scheduled_for, run.c.id)  # as an index has them: else it would go through all that are unfinished
    .limit(1)
    .correlate(schedule)
)
_STILL_RUNNING = Statement(
    select(
        schedule.c.name,
        _in_place.where(run.c.backfill.is_(None)).scalar_subquery().label("one"),
        _in_place.where(run.c.backfill.is_not(None)).scalar_subquery().label("of_backfill"),
    ).where(schedule.c.application == _of_application, sql.among_given(schedule.c.name, "names"))
)
_runs = sql.given("runs", **NEW_RUN)
# With the application: SQLite then takes these rows first, and looks up each.
_named = sql.given("named", application=str, schedule=str, base=str, digest=str)
_moved = sql.given("moved", application=str, **MOVED_ON)
_new = select(_of_application, sql.SCHEDULED, *_runs.c).where(true())
_ADD = Statement(insert_missing(run).from_select(["application", "trigger", *NEW_RUN], _new).returning(run.c.id))
_names = sql.given("names", name=str)
_each = run.alias("each")
_first = (
    select(_each.c.id)
    .where(
        _each.c.application == _of_application,
        _each.c.schedule == _names.c.name,
        sql.unfinished(_each),
        placed(_each),
        _each.c.backfill.is_(None),
    )
    .order_by(case((_each.c.state == sql.RUNNING, 0), else_=1), _each.c.scheduled_for, _each.c.id)
    .limit(1)
    .scalar_subquery()
)
_UNFINISHED = Statement(
    select(_names.c.name, run.c.id, case((sql.running, lease.c.label), else_=null())).select_from(
        _names.join(run, run.c.id == _first).outerjoin(lease, sql.is_under())
    )
)
_wanted = _named.c.base + "/" + sql.number(run.c.id)
_NAME_LEASES = Statement(
    update(run)
    .where(
        sql.same_schedule(run, _named),
        sql.all_pending,
        run.c.digest.is_not_distinct_from(_named.c.digest),
        run.c.lease_name != _wanted,
    )
    .values(lease_name=_wanted)
    .returning(run.c.id)
)
_MOVE_ON = Statement(
    update(schedule)
    .where(sql.same_schedule(schedule, _moved))
    .values({name: _moved.c[name] for name in list(MOVED_ON)[1:]})
    .returning(schedule.c.name)
)


# The runs that give way to a newer one of their schedule (`overlap = "replace"`, rule 23)
#
# Their schedules must be locked: so no run of them ends meanwhile, and none takes its place.

REPLACER = "leased"
"""Who cancelled a run that was replaced."""


replaced_by = case((marked & (run.c.cancelled_by == REPLACER), run.c.overlapped), else_=null()).label("replaced_by")
"""The newer run that replaced one that is marked; NULL for any other."""


def planned(connection: Connection, application: str, rows: Iterable[tuple[str, datetime]]) -> dict[str, int]:
    """Return by their schedules the runs that were planned for instants: (schedule, instant), one of each schedule."""
    found = _PLANNED(connection, {"instants": sql.as_rows((application, *row) for row in rows)})
    return {name: run_id for run_id, name in found}


def mark_older(connection: Connection, application: str, newer: Iterable[tuple[str, int]]) -> list[tuple[int, str]]:
    """Mark the unfinished runs of schedules but for the ``newer`` ones (schedule, id), which replace them;
    return (id, state) of each that was marked now.

    A claim that has just locked one of them is waited for, so that its state is certain.
    """
    rows = _MARK_OLDER(connection, {"newer": sql.as_rows((application, *row) for row in newer)})
    return [(run_id, state) for run_id, state in rows]


def start_replacing(connection: Connection, rows: Iterable[Sequence[Any]]) -> set[int]:
    """Let runs (id, when) that wait start then, unless another of their schedule is unfinished, whose end promotes them;
    return the ids of those that may start.
    """
    return {run_id for (run_id,) in _START(connection, {"firsts": sql.as_rows(rows)})}


_instants = sql.given("instants", application=str, schedule=str, scheduled_for=datetime)
_newer = sql.given("newer", application=str, schedule=str, number=int)
_firsts = sql.given("firsts", number=int, available_at=datetime)
_PLANNED = Statement(
    select(run.c.id, run.c.schedule).where(
        sql.same_schedule(run, _instants),
        run.c.scheduled_for == _instants.c.scheduled_for,
        run.c.trigger == sql.SCHEDULED,
    )
)
_MARK_OLDER = Statement(
    update(run)
    .where(
        sql.same_schedule(run, _newer),
        sql.unfinished(),
        run.c.id != _newer.c.number,
        ~marked,
        placed(),
        run.c.backfill.is_(None),  # it runs an instant of its own, for which the newer one does not stand in
    )
    .values(
        cancelled_at=now(),
        cancelled_by=sql.constant(REPLACER),
        cancelled_why=sql.constant("replaced by run ") + cast(_newer.c.number, Text),
        overlapped=_newer.c.number,
    )
    .returning(run.c.id, run.c.state)
)
_other = run.alias("other")
_ahead = exists().where(sql.same_schedule(_other, run), sql.unfinished(_other), _other.c.id != run.c.id, placed(_other))
_START = Statement(
    update(run)
    .where(run.c.id == _firsts.c.number, sql.agrees(run.c.state, sql.PENDING), ~_ahead)
    .values(available_at=_firsts.c.available_at)
    .returning(run.c.id)
)


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
    connection.execute(update(schedule).where(sql.are(keys)).values(**values, **nothing))


def change_pause(
    connection: Connection, keys: Collection[ScheduleKey], *, by: str, why: str | None, until: datetime | None
) -> None:
    """Set who has schedules paused, why, or until when, as far as it is given; since when stays."""
    told = {name: value for name, value in (("paused_why", why), ("paused_until", until)) if value is not None}
    connection.execute(update(schedule).where(sql.are(keys)).values(paused_by=by, **told))


def end_pause(connection: Connection, keys: Collection[ScheduleKey]) -> None:
    """Mark schedules as not paused."""
    connection.execute(update(schedule).where(sql.are(keys)).values({name: null() for name in PAUSE}))


def skipped_in_pause(connection: Connection, keys: Collection[ScheduleKey]) -> dict[ScheduleKey, int]:
    """Return how many instants of these schedules were skipped since they were paused."""
    ours = (sql.same_schedule(run), run.c.trigger == sql.SCHEDULED)
    query = (
        select(schedule.c.application, schedule.c.name, func.sum(run.c.count))
        .where(sql.are(keys), *ours, run.c.scheduled_for > schedule.c.paused_at, run.c.reason == "paused")
        .group_by(schedule.c.application, schedule.c.name)
    )
    return {(application, name): int(count) for application, name, count in connection.execute(query)}
