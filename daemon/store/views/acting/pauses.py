"""The pauses of schedules: which is in force now, and which kept an instant from running."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, and_, or_, select

from lease.database.dialects import now

from ...statements.dialects import among_keys
from ...tables import act, run, schedule


def in_force() -> ColumnElement[bool]:
    """Return the condition that a schedule is paused: the row of one whose pause has ended by itself has it
    until what is due next is planned.
    """
    return and_(
        schedule.c.paused_at.is_not(None),
        or_(schedule.c.paused_until.is_(None), schedule.c.paused_until > now()),
    )


def pause_of() -> ScalarSelect[Any]:
    """Return the query for the act by which the instant of a run is paused, the latest before it."""
    of_schedule = (act.c.application == run.c.application, act.c.schedule == run.c.schedule)
    latest = select(act.c.id).where(*of_schedule, act.c.act == "pause", act.c.acted_at < run.c.scheduled_for)
    return latest.order_by(act.c.acted_at.desc(), act.c.id.desc()).limit(1).correlate(run).scalar_subquery()


def pauses_by_act(connection: Connection, ids: Collection[int]) -> Mapping[int, Row[Any]]:
    """Return (id, acted_by, acted_at, until, why) of these acts, by their ids."""
    if not ids:
        return {}
    query = select(act.c.id, act.c.acted_by, act.c.acted_at, act.c.until, act.c.why)
    found: list[Row[Any]] = list(connection.execute(query.where(among_keys((act.c.id,), sorted(ids)))))
    return {row.id: row for row in found}
