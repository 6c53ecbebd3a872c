"""Which schedules there are, by name."""

from sqlalchemy import Connection, select

from ..tables import schedule


def applications_with(connection: Connection, name: str) -> list[str]:
    """Return the applications that have a schedule of this name, retired ones not included."""
    query = select(schedule.c.application).where(schedule.c.name == name, schedule.c.retired_at.is_(None))
    return list(connection.scalars(query.order_by(schedule.c.application)))


def schedule_names(connection: Connection) -> list[str]:
    """Return the names of all schedules, retired ones not included."""
    query = select(schedule.c.name).where(schedule.c.retired_at.is_(None)).distinct()
    return list(connection.scalars(query.order_by(schedule.c.name)))
