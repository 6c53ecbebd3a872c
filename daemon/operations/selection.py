"""The schedules that an act is about: one, those with a tag, or all of an application."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
from ..store.views.names import application_of, missing_schedule, require_application, schedules_named, schedules_tagged

_MOMENT = timedelta(seconds=5)
"""What has been due for less is no backlog: of many short intervals, some are always due."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A schedule by its ``name``, or all of an ``application`` or of all applications, with a ``tag`` if one is given."""

    application: str | None = None
    name: str | None = None
    tag: str | None = None

    def in_one_application(self, connection: Connection) -> "Selection":
        """Return the same, with the only application of a schedule of this name; raises `NotFound` and `Ambiguous`."""
        if self.name is None:
            return self
        return replace(self, application=application_of(connection, self.name, self.application))

    def schedules(self, connection: Connection, *, retired: bool) -> set[ScheduleKey]:
        """Return (application, key) of the schedules whose runs are meant, with ``retired`` also of these; a ``name`` and
        a ``tag`` both hold, and without an ``application`` any. Raises `NotFound` where there is nothing of a name.
        """
        require_application(connection, self.application)
        if self.name is None and self.tag is not None:  # the names of all others need not be read
            return schedules_tagged(connection, self.application, self.tag)
        found = schedules_named(connection, self.name, self.application, retired=retired)
        if self.name is not None and not found:
            raise missing_schedule(connection, self.name, self.application, retired=retired)
        return found & schedules_tagged(connection, self.application, self.tag) if self.tag is not None else found


def lock_planned(connection: Connection, selected: Selection) -> Sequence[Row[Any]]:
    """Lock the schedules, plan what is due of them, and return their rows.

    Raises `NotFound` for a name that is not there or is retired, a tag that no schedule has, an application that is
    not there, and where there are no schedules.
    """
    keys = _keys(connection, selected)
    rows = _there(connection, selected, statements.schedule.lock_all(connection, keys))
    now, more = statements.schedule.database_time(connection), True
    while more and any(row.next_due is not None and row.next_due <= now for row in rows):
        more = _plan(connection, rows, now)
        rows = statements.schedule.lock_all(connection, keys)
    return [row for row in rows if row.retired_at is None]


def plan_some(connection: Connection, selected: Selection) -> bool:
    """Plan what is due of the schedules, as much as one transaction may; call it until it returns False.

    It leaves little to `lock_planned`, which plans all of it while it holds the schedules.
    """
    rows: list[Row[Any]] = []
    for application, keys in groupby(sorted(_keys(connection, selected)), key=itemgetter(0)):
        names = [key for _, key in keys]
        rows += statements.schedule.of_application(connection, application, lock=False, names=names)
    return _plan(connection, rows, statements.schedule.database_time(connection) - _MOMENT)


def _plan(connection: Connection, rows: Sequence[Row[Any]], until: datetime) -> bool:
    """Plan what was due of these schedules until then, as much as one transaction may; return whether more is left."""
    due = defaultdict[str, dict[str, Schedule]](dict)
    for row in rows:
        if row.next_due is not None and row.next_due <= until:
            with suppress(UnreadableDefinition):  # replicas say so; what is due of it stays so
                due[row.application][row.name] = read_schedule(row.definition)
    more = [plan_due(connection, application, due[application]).more for application in sorted(due)]
    return any(more)


def _keys(connection: Connection, selected: Selection) -> set[ScheduleKey]:
    application = selected.application
    if selected.name is not None:
        if application is None:
            raise ValueError("a schedule is named by its application and its name")
        return schedules_named(connection, selected.name, application, retired=True)
    keys = selected.schedules(connection, retired=False)
    if not keys:
        of = "there are no schedules" if application is None else f'"{application}" has no schedules'
        raise NotFound(f"{of}; `leased run FILE` or `leased sync FILE` adds them")
    return keys


def read_one(connection: Connection, application: str, name: str) -> Row[Any]:
    """Return the row of a schedule, locking and planning nothing; raises `NotFound` as `lock_planned` does."""
    selected = Selection(application, name)
    keys = [key for _, key in _keys(connection, selected)]
    rows = statements.schedule.of_application(connection, application, lock=False, names=keys)
    (row,) = _there(connection, selected, rows)
    return row


def _there(connection: Connection, selected: Selection, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return the rows; raises `NotFound` if the one that was named is not there, or is retired."""
    if selected.name is None:
        return rows
    if not rows:
        require_application(connection, selected.application)
        raise missing_schedule(connection, selected.name, selected.application, retired=False)
    if rows[0].retired_at is not None:
        how = retirement(rows[0].retired_at, rows[0].retired_by)
        of = f'"{selected.name}" of "{selected.application}"'
        raise NotFound(f"the schedule {of} was {how}, so it has no scheduled times; define it again to run it")
    return rows
