"""The plans of many schedules: the runs of their due instants, that the schedules have moved on (rule 13), and
what gives way to a newer run of its schedule (rule 23).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, case, cast, exists, literal_column, null, select, true, update

from lease.database.dialects import insert_missing, now
from lease.database.held.statement import Statement
from lease.schema import lease

from ...tables import run, schedule
from ..dialects import (
    PENDING,
    RUNNING,
    SCHEDULED,
    agrees,
    all_pending,
    as_rows,
    given,
    is_under,
    number,
    parameter,
    running,
    same_schedule,
    unfinished,
)
from ..requests import placed
from ..run import marked

NEW_RUN = {
    "schedule": str,
    "scheduled_for": datetime,
    "last_scheduled_for": datetime,
    "count": int,
    "state": str,
    "reason": str,
    "lease_name": str,
    "queue": str,
    "available_at": datetime,
    "start_by": datetime,
    "finish_by": datetime,
    "params": str,
    "digest": str,
    "created_at": datetime,
    "finished_at": datetime,
    "away_from": datetime,
    "overlapped": int,
    "overlapped_by": str,
}
"""The columns of the run of a due instant, in their order."""
MOVED_ON = {
    "name": str,
    "next_due": datetime,
    "planned_until": datetime,
    "stretch_reason": str,
    "stretch_count": int,
    "stretch_from": datetime,
}
"""The columns of a schedule that has moved on, in their order."""


def add(connection: Connection, application: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert runs (`NEW_RUN`), except for instants that have one; return how many were inserted."""
    runs = as_rows([row[name] for name in NEW_RUN] for row in rows)
    return len(_ADD(connection, {"of_application": application, "runs": runs}))


def unfinished_of_each(
    connection: Connection, application: str, names: Collection[str]
) -> dict[str, tuple[int, str | None]]:
    """Return an unfinished run of each schedule, but for backfills, best one at work, and the label of who has it."""
    rows = _UNFINISHED(connection, {"of_application": application, "names": as_rows((name,) for name in sorted(names))})
    return {name: (run_id, label) for name, run_id, label in rows}


def name_leases(connection: Connection, application: str, rows: Iterable[Sequence[Any]]) -> None:
    """Give pending runs, which hold none, leases of their own, by (schedule, how the names begin, digest)."""
    _NAME_LEASES(connection, {"named": as_rows((application, *row) for row in rows)})


def move_on(connection: Connection, application: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Move schedules (`MOVED_ON`) on, which must be locked."""
    _MOVE_ON(connection, {"moved": as_rows([application, *(row[name] for name in MOVED_ON)] for row in rows)})


_of_application = parameter("of_application")
_runs = given("runs", **NEW_RUN)
# With the application: SQLite then takes these rows first, and looks up each.
_named = given("named", application=str, schedule=str, base=str, digest=str)
_moved = given("moved", application=str, **MOVED_ON)
_new = select(_of_application, SCHEDULED, *_runs.c).where(true())
_ADD = Statement(insert_missing(run).from_select(["application", "trigger", *NEW_RUN], _new).returning(run.c.id))
_names = given("names", name=str)
_each = run.alias("each")
_first = (
    select(_each.c.id)
    .where(
        _each.c.application == _of_application,
        _each.c.schedule == _names.c.name,
        unfinished(_each),
        placed(_each),
        _each.c.backfill.is_(None),
    )
    .order_by(case((_each.c.state == RUNNING, 0), else_=1), _each.c.scheduled_for, _each.c.id)
    .limit(1)
    .scalar_subquery()
)
_UNFINISHED = Statement(
    select(_names.c.name, run.c.id, case((running(), lease.c.label), else_=null())).select_from(
        _names.join(run, run.c.id == _first).outerjoin(lease, is_under())
    )
)
_wanted = _named.c.base + "/" + number(run.c.id)
_NAME_LEASES = Statement(
    update(run)
    .where(
        same_schedule(run, _named),
        all_pending(),
        run.c.digest.is_not_distinct_from(_named.c.digest),
        run.c.lease_name != _wanted,
    )
    .values(lease_name=_wanted)
    .returning(run.c.id)
)
_MOVE_ON = Statement(
    update(schedule)
    .where(same_schedule(schedule, _moved))
    .values({name: _moved.c[name] for name in list(MOVED_ON)[1:]})
    .returning(schedule.c.name)
)


# The runs that give way to a newer one of their schedule (`overlap = "replace"`, rule 23)
#
# Their schedules must be locked: so no run of them ends meanwhile, and none takes its place.

REPLACER = "leased"
"""Who cancelled a run that was replaced."""


def replaced_by() -> ColumnElement[int | None]:
    """Return SQL for the newer run that replaced one that is marked; NULL for any other."""
    is_replaced = run.c.cancelled_at.is_not(None) & (run.c.cancelled_by == REPLACER)
    return case((is_replaced, run.c.overlapped), else_=null()).label("replaced_by")


def planned(connection: Connection, application: str, rows: Iterable[tuple[str, datetime]]) -> dict[str, int]:
    """Return by their schedules the runs that were planned for instants: (schedule, instant), one of each schedule."""
    found = _PLANNED(connection, {"instants": as_rows((application, *row) for row in rows)})
    return {name: run_id for run_id, name in found}


def mark_older(connection: Connection, application: str, newer: Iterable[tuple[str, int]]) -> list[tuple[int, str]]:
    """Mark the unfinished runs of schedules but for the ``newer`` ones (schedule, id), which replace them;
    return (id, state) of each that was marked now.

    A claim that has just locked one of them is waited for, so that its state is certain.
    """
    rows = _MARK_OLDER(connection, {"newer": as_rows((application, *row) for row in newer)})
    return [(run_id, state) for run_id, state in rows]


def start_replacing(connection: Connection, rows: Iterable[Sequence[Any]]) -> set[int]:
    """Let runs (id, when) that wait start then, unless another of their schedule is unfinished, whose end promotes them;
    return the ids of those that may start.
    """
    return {run_id for (run_id,) in _START(connection, {"firsts": as_rows(rows)})}


_instants = given("instants", application=str, schedule=str, scheduled_for=datetime)
_newer = given("newer", application=str, schedule=str, number=int)
_firsts = given("firsts", number=int, available_at=datetime)
_PLANNED = Statement(
    select(run.c.id, run.c.schedule).where(
        same_schedule(run, _instants),
        run.c.scheduled_for == _instants.c.scheduled_for,
        run.c.trigger == SCHEDULED,
    )
)
_MARK_OLDER = Statement(
    update(run)
    .where(
        same_schedule(run, _newer),
        unfinished(),
        run.c.id != _newer.c.number,
        ~marked(),
        placed(),
        run.c.backfill.is_(None),  # it runs an instant of its own, for which the newer one does not stand in
    )
    .values(
        cancelled_at=now(),
        cancelled_by=literal_column(f"'{REPLACER}'", Text),
        cancelled_why=literal_column("'replaced by run '", Text) + cast(_newer.c.number, Text),
        overlapped=_newer.c.number,
    )
    .returning(run.c.id, run.c.state)
)
_other = run.alias("other")
_ahead = exists().where(same_schedule(_other, run), unfinished(_other), _other.c.id != run.c.id, placed(_other))
_START = Statement(
    update(run)
    .where(run.c.id == _firsts.c.number, agrees(run.c.state, PENDING), ~_ahead)
    .values(available_at=_firsts.c.available_at)
    .returning(run.c.id)
)
