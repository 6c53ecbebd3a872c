"""The schedules that an act is about: one, those with a tag, or all of an application."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row

from ..definitions.schedule import Schedule, UnreadableDefinition, read_schedule
from ..errors import NotFound
from ..scheduling.plan_due import plan_due
from ..store import statements
from ..store.tables import ScheduleKey
from ..store.views.defined import retirement
from ..store.views.names import (
    application_of,
    keys_named,
    missing_schedule,
    nearest_of,
    require_application,
    schedule_names,
    schedules_named,
    schedules_tagged,
)
from .trigger import NoSuchSchedule

_MOMENT = timedelta(seconds=5)
"""What has been due for less is no backlog: of many short intervals, some are always due."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A schedule by its ``name``, for which ``application`` is required; or all of an application, or of all
    applications, with a ``tag`` if one is given.
    """

    application: str | None = None
    name: str | None = None
    tag: str | None = None

    def in_one_application(self, connection: Connection) -> "Selection":
        """Return the same, with the application of a schedule that is given by its name alone; raises `NotFound` and
        `Ambiguous`.
        """
        if self.name is None:
            return self
        return replace(self, application=application_of(connection, self.name, self.application))

    def schedules(self, connection: Connection, *, retired: bool) -> set[ScheduleKey]:
        """Return (application, key) of the schedules whose runs are meant, with ``retired`` also of these; a ``name`` and
        a ``tag`` both hold, and without an ``application`` any. Raises `NotFound` where there is nothing of a name.
        """
        require_application(connection, self.application)
        found = schedules_named(connection, self.name, self.application, retired=retired)
        if self.name is not None and not found:
            raise missing_schedule(connection, self.name, self.application, retired=retired)
        return found & schedules_tagged(connection, self.application, self.tag) if self.tag is not None else found


def lock_planned(connection: Connection, selected: Selection) -> Sequence[Row[Any]]:
    """Lock the schedules, plan what is due of them, and return their rows.

    Raises `NoSuchSchedule` for a name that is not there or is retired, `NotFound` for a tag that no
    schedule has, an application that is not there, and where there are no schedules.
    """
    keys = _keys(connection, selected)
    rows = _there(connection, selected, statements.schedule.lock_all(connection, keys))
    now = statements.schedule.database_time(connection)
    while due := [row for row in rows if row.next_due is not None and row.next_due <= now]:
        more = [
            plan_due(connection, application, known).more
            for application in sorted({row.application for row in due})
            if (known := _readable([row for row in due if row.application == application]))
        ]
        rows = statements.schedule.lock_all(connection, keys)
        if not any(more):
            break
    return [row for row in rows if row.retired_at is None]


def plan_some(connection: Connection, selected: Selection) -> bool:
    """Plan what is due of the schedules, as much as one transaction may; call it until it returns False.

    It leaves little to `lock_planned`, which plans all of it while it holds the schedules.
    """
    more = []
    for application, keys in groupby(sorted(_keys(connection, selected)), key=itemgetter(0)):
        rows = statements.schedule.of_application(connection, application, lock=False, names=[key for _, key in keys])
        long_due = statements.schedule.database_time(connection) - _MOMENT
        if known := _readable([row for row in rows if row.next_due is not None and row.next_due <= long_due]):
            more.append(plan_due(connection, application, known).more)
    return any(more)


def _keys(connection: Connection, selected: Selection) -> set[ScheduleKey]:
    application = selected.application
    if selected.name is not None:
        if application is None:
            raise ValueError("a schedule is named by its application and its name")
        return set(keys_named(connection, selected.name, application, retired=True))
    require_application(connection, application)
    if selected.tag is not None:
        return schedules_tagged(connection, application, selected.tag)
    keys = schedules_named(connection, None, application)
    if not keys:
        of = "there are no schedules" if application is None else f'"{application}" has no schedules'
        raise NotFound(f"{of}; `leased run FILE` or `leased sync FILE` adds them")
    return keys


def read_one(connection: Connection, application: str, name: str) -> Row[Any]:
    """Return the row of a schedule, locking and planning nothing; raises `NoSuchSchedule` as `lock_planned` does."""
    keys = [key for _, key in keys_named(connection, name, application, retired=True)]
    rows = statements.schedule.of_application(connection, application, lock=False, names=keys)
    (row,) = _there(connection, Selection(application, name), rows)
    return row


def _there(connection: Connection, selected: Selection, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return the rows; raises `NoSuchSchedule` if the one that was named is not there, or is retired."""
    if selected.name is None:
        return rows
    of = f'"{selected.name}" of "{selected.application}"'
    if not rows:
        require_application(connection, selected.application)
        names = schedule_names(connection, selected.application)
        raise NoSuchSchedule(f"there is no schedule {of}; {nearest_of(selected.name, names)}")
    if rows[0].retired_at is not None:
        how = retirement(rows[0].retired_at, rows[0].retired_by)
        raise NoSuchSchedule(f"the schedule {of} was {how}, so it has no scheduled times; define it again to run it")
    return rows


def _readable(rows: Sequence[Row[Any]]) -> dict[str, Schedule]:
    found = {}
    for row in rows:
        try:
            found[row.name] = read_schedule(row.definition)
        except UnreadableDefinition:
            continue  # replicas say so; what is due of it stays so
    return found
