"""The key of a schedule, and what it is called: its row keeps the name under which it was first defined (rule 17)."""

import json
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, func, literal, select

from .tables import schedule

ScheduleKey = tuple[str, str]
"""Its application and its name."""


def called(row: Row[Any]) -> str:
    """Return what the schedule of a row is called."""
    name: str = row.name if row.called is None else row.called
    return name


def former_names(row: Row[Any]) -> list[str]:
    """Return the names that the schedule of a row had, the newest first."""
    names: list[str] = [] if row.former is None else json.loads(row.former)
    return names


def present_name(of: Any) -> ColumnElement[str]:
    """Return what a schedule is called, of a table of schedules, or of what belongs to them."""
    if "called" in of.c:
        return func.coalesce(of.c.called, of.c.name, type_=of.c.name.type)
    key = of.c.schedule
    now = select(schedule.c.called).where(schedule.c.application == of.c.application, schedule.c.name == key)
    return func.coalesce(now.correlate(of).scalar_subquery(), key, type_=key.type).label("schedule")


def key_of(application: Any, name: Any) -> ColumnElement[str]:
    """Return the key of the row that is called so, otherwise ``name``: it may be the key of one that is there."""
    given = literal(name, Text) if isinstance(name, str) else name
    now = select(schedule.c.name).where(schedule.c.application == application, schedule.c.called == given)
    return func.coalesce(now.scalar_subquery(), given)
