"""The cancels of many runs, whose schedules are locked (rule 23)."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, Text, and_, select, update

from lease.database.dialects import now

from ...called import ScheduleKey, present_name
from ...tables import run
from ..dialects import RUNNING, among_keys, unfinished
from ..sets.given import agrees, as_rows, given
from .cancel import marked

_schedules = given("schedules", application=Text, name=Text)
_chosen = (run.c.id, run.c.application, present_name(run), run.c.scheduled_for, run.c.state)


def find_unfinished(connection: Connection, schedules: Collection[ScheduleKey]) -> list[Row[Any]]:
    """Return (id, application, schedule, scheduled_for, state, cancelled_at) of the runs of these schedules that are
    not over. Those that wait come first, of each schedule those that are due last: whoever takes them in this order
    lets nobody go ahead who goes too, behind one of them or in its place under a lock.
    """
    query = (
        select(*_chosen, run.c.cancelled_at)
        .select_from(_schedules)
        .join(run, and_(run.c.application == _schedules.c.application, run.c.schedule == _schedules.c.name))
        .where(unfinished())
        .order_by(
            agrees(run.c.state, RUNNING),
            *(run.c.application, run.c.schedule, run.c.scheduled_for.desc(), run.c.id.desc()),
        )
    )
    return list(connection.execute(query, {"schedules": as_rows(sorted(schedules))}))


def lock(connection: Connection, ids: Collection[int]) -> list[Row[Any]]:
    """Lock these runs and return (id, application, schedule, scheduled_for, state, cancelled_at) of each."""
    query = select(*_chosen, run.c.cancelled_at).where(among_keys((run.c.id,), ids)).order_by(run.c.id)
    return list(connection.execute(query.with_for_update(key_share=True)))


def mark(connection: Connection, ids: Collection[int], by: str, why: str | None) -> None:
    """Mark these runs as cancelled, but for those that are marked or over."""
    connection.execute(
        update(run)
        .where(among_keys((run.c.id,), ids), run.c.finished_at.is_(None), ~marked())
        .values(cancelled_at=now(), cancelled_by=by, cancelled_why=why)
    )
