"""The statements on the marks of cancelled runs (rule 23).

A marked run never becomes pending. Every statement that ends a run or puts it back takes its values
through `unless_marked`: whether a run is marked is known for certain only in the update of its row.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, case, func, literal, null, or_, select, update

from lease.database.dialects import now

from ...called import ScheduleKey, present_name
from ...tables import run
from ..dialects import (
    PENDING,
    RUNNING,
    agrees,
    all_pending,
    among_keys,
    as_rows,
    given,
    if_given,
    same_schedule,
    unfinished,
)
from .looks import asked


def marked() -> ColumnElement[bool]:
    return run.c.cancelled_at.is_not(None)


def unless_marked(values: Mapping[str, Any], remark: str | ColumnElement[str] = "") -> dict[str, Any]:
    """Return ``values`` for an unmarked run; for a marked one its end as cancelled, with a ``remark`` to the reason."""
    why = func.coalesce(literal(": ", Text) + run.c.cancelled_why, "")
    reason = literal("cancelled by ", Text) + _by() + why + remark  # cancelled by ann@web-1: wrong file
    end = {"state": literal("cancelled", Text), "reason": reason, "finished_at": now()}
    ended = {name: case((marked(), value), else_=values.get(name, run.c[name])) for name, value in end.items()}
    return {**values, **ended}


def lock(connection: Connection, run_id: int) -> Row[Any] | None:
    """Lock a run, whose schedule's row must be locked, and return it."""
    query = select(run).where(run.c.id == run_id).with_for_update(key_share=True)
    return connection.execute(query).one_or_none()


def end_pending(connection: Connection, ids: Collection[int]) -> None:
    """Record the end of those of these runs that are marked and pending; they hold no lease."""
    values = unless_marked({"available_at": null(), "place_at": null(), "token": null(), "holder": null()})
    these = (among_keys(run.c.id, ids), agrees(run.c.state, PENDING), marked())
    connection.execute(update(run).where(*these).values(**values))


def find_pending(connection: Connection, application: str | None) -> list[Row[Any]]:
    """Return (id, application, schedule) of pending runs that are marked: only an earlier version puts one back."""
    which = (all_pending(), marked(), *if_given(run.c.application, application))
    return list(connection.execute(select(run.c.id, run.c.application, run.c.schedule).where(*which)))


def find_told(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Return (id, cancelled_at, cancelled_by, cancelled_why, look_asked_by) of those of these runs that are not over and
    marked, or at which somebody asks for a look: ``look_asked_by`` says who, or is NULL.
    """
    asks = case((asked(), func.coalesce(run.c.look_asked_by, "an unknown user"))).label("look_asked_by")
    query = select(run.c.id, run.c.cancelled_at, _by(), run.c.cancelled_why, asks)
    told = and_(run.c.finished_at.is_(None), or_(marked(), asked()))
    return list(connection.execute(query.where(among_keys(run.c.id, ids), told)))


def _by() -> ColumnElement[str]:
    return func.coalesce(run.c.cancelled_by, "an unknown user").label("cancelled_by")


_schedules = given("schedules", application=Text, name=Text)
CHOSEN = (run.c.id, run.c.application, present_name(run), run.c.scheduled_for, run.c.state)


def find_unfinished(connection: Connection, schedules: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Return (id, application, schedule, scheduled_for, state, cancelled_at) of the runs of these schedules that are
    not over. Those that wait come first, of each schedule those that are due last: whoever takes them in this order
    lets nobody go ahead who goes too, behind one of them or in its place under a lock.
    """
    query = (
        select(*CHOSEN, run.c.cancelled_at)
        .select_from(_schedules)
        .join(run, same_schedule(run, _schedules))
        .where(unfinished())
        .order_by(agrees(run.c.state, RUNNING), run.c.application, run.c.schedule)
        .order_by(run.c.scheduled_for.desc(), run.c.id.desc())
    )
    return list(connection.execute(query, {"schedules": as_rows(sorted(schedules))}))


def lock_many(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Lock these runs and return (id, application, schedule, scheduled_for, state, cancelled_at) of each."""
    query = select(*CHOSEN, run.c.cancelled_at).where(among_keys(run.c.id, ids)).order_by(run.c.id)
    return list(connection.execute(query.with_for_update(key_share=True)))


def mark(connection: Connection, ids: Collection[int], by: str, why: str | None) -> None:
    """Mark these runs as cancelled, but for those that are marked or over."""
    these = (among_keys(run.c.id, ids), run.c.finished_at.is_(None), ~marked())
    connection.execute(update(run).where(*these).values(cancelled_at=now(), cancelled_by=by, cancelled_why=why))
