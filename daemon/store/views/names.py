"""The names of schedules, and the applications that have them."""

from sqlalchemy import Connection, select

from ..tables import generation, schedule


def applications_with(connection: Connection, name: str) -> list[str]:
    """Return the applications with a schedule of this name that is not retired."""
    query = select(schedule.c.application).where(schedule.c.name == name, schedule.c.retired_at.is_(None))
    return list(connection.scalars(query.order_by(schedule.c.application)))


def schedule_names(connection: Connection) -> list[str]:
    """Return the names of all schedules that are not retired."""
    query = select(schedule.c.name).where(schedule.c.retired_at.is_(None)).distinct()
    return list(connection.scalars(query.order_by(schedule.c.name)))


def applications(connection: Connection) -> list[str]:
    """Return the names of all applications that have brought definitions."""
    query = select(generation.c.application).distinct().order_by(generation.c.application)
    return list(connection.scalars(query))
