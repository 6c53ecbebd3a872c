"""Which schedules are retired, by what, and since when."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from lease.database.dialects import now, seconds_between

from ...text import when
from ..called import present_name
from ..statements.dialects import among_keys
from ..tables import schedule

SHOWN_FOR = 24 * 3600.0
"""Seconds for which `leased status` shows what was retired."""
PROBLEM_FOR = 7 * 24 * 3600.0
"""Seconds for which it is a problem that a generation retired all that there was, unless that is acknowledged."""


@dataclass(frozen=True, slots=True)
class RetiredSchedule:
    """A schedule that is retired."""

    application: str
    schedule: str
    retired_at: datetime
    retired_by: str | None
    """``generation 2``, or who retired its application; None: an older version of leased recorded it."""

    @property
    def how(self) -> str:
        """How it was retired, as text."""
        return retirement(self.retired_at, self.retired_by)

    @property
    def in_words(self) -> str:
        return f"{self.schedule} ({self.application}) was {self.how}"


def retirement(at: datetime, by: str | None, written: Callable[[datetime], str] = when) -> str:
    """Return how a schedule was retired, as text: ``retired by generation 2 at …``."""
    return f"retired by {by or 'a deploy'} at {written(at)}"


def read_retired(
    connection: Connection,
    application: str | None = None,
    *,
    within: float = SHOWN_FOR,
    by: Collection[tuple[str, str]] | None = None,
) -> list[RetiredSchedule]:
    """Return the schedules that were retired in the last ``within`` seconds and still are; of these, those that
    were ``by`` (application, generation).
    """
    query = select(schedule.c.application, present_name(schedule), schedule.c.retired_at, schedule.c.retired_by)
    query = query.where(schedule.c.retired_at.is_not(None), seconds_between(schedule.c.retired_at, now()) < within)
    if application is not None:
        query = query.where(schedule.c.application == application)
    if by is not None:
        query = query.where(among_keys((schedule.c.application, schedule.c.retired_by), sorted(by)))
    order = (schedule.c.retired_at.desc(), schedule.c.application, schedule.c.name)
    return [RetiredSchedule(*row) for row in connection.execute(query.order_by(*order))]


def read_retirements(connection: Connection, name: str, application: str | None = None) -> list[RetiredSchedule]:
    """Return how the schedules of this name were retired, those that are."""
    named = present_name(schedule)
    query = select(schedule.c.application, named, schedule.c.retired_at, schedule.c.retired_by)
    query = query.where(named == name, schedule.c.retired_at.is_not(None))
    if application is not None:
        query = query.where(schedule.c.application == application)
    return [RetiredSchedule(*row) for row in connection.execute(query.order_by(schedule.c.application))]
