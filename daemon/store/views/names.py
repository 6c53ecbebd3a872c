"""The names of schedules, the applications that have them, and the runs that are meant by a name."""

import json
from collections.abc import Collection, Iterable
from typing import Any, Literal, assert_never

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select, union

from ...errors import Ambiguous, NotFound
from ...states import UNFINISHED
from ...text import suggestion
from ..policies import read_policies
from ..statements.acting.renames import NAMES, renamed
from ..statements.dialects import among_keys, are, definition_with, if_given
from ..tables import ScheduleKey, called, former_names, generation, present_name, replica, run, schedule


class Called:
    """What the schedules of renamed rows are called, and which rows are meant by a name."""

    def __init__(self, connection: Connection) -> None:
        rows = renamed(connection)
        self._called: dict[ScheduleKey, str] = {(row.application, row.name): called(row) for row in rows}
        self._keys = {(application, name): key for (application, key), name in self._called.items()}

    def name(self, application: str, key: str) -> str:
        """Return what the schedule of a row is called."""
        return self._called.get((application, key), key)

    def key(self, application: str, name: str) -> str:
        """Return the key of the row of the schedule that is called so."""
        return self._keys.get((application, name), name)

    def keys(self, schedules: Iterable[ScheduleKey]) -> list[ScheduleKey]:
        """Return the keys of the rows of the schedules that are called so, in their order."""
        return sorted((application, self.key(application, name)) for application, name in schedules)


def of_each(connection: Connection, schedules: Collection[ScheduleKey], value: Select[Any]) -> dict[ScheduleKey, Any]:
    """Return a value of each of these schedules, by what they are called: that of a query about one."""
    if not schedules:
        return {}
    asked = value.correlate(schedule).scalar_subquery()
    query = select(schedule.c.application, present_name(schedule), asked)
    rows = connection.execute(query.where(are(Called(connection).keys(schedules))))
    return {(application, name): found for application, name, found in rows}


def keys_named(
    connection: Connection, name: str, application: str | None = None, *, retired: bool = False
) -> list[ScheduleKey]:
    """Return (application, key) of the schedules that are called so, or else were; with ``retired`` also retired ones."""
    is_called = or_(schedule.c.called == name, and_(schedule.c.name == name, schedule.c.called.is_(None)))
    query = select(*NAMES).where(*if_given(schedule.c.application, application), is_called)
    present: list[Row[Any]] = list(connection.execute(query))
    found = {row.application: row for row in present}
    for row in renamed(connection, application):
        if name in former_names(row):
            found.setdefault(row.application, row)
    return sorted((of, row.name) for of, row in found.items() if retired or row.retired_at is None)


def applications_with(connection: Connection, name: str, *, retired: bool = False) -> list[str]:
    """Return the applications with a schedule that is, or was, called so; with ``retired`` also retired ones."""
    return [application for application, _ in keys_named(connection, name, retired=retired)]


def schedule_names(connection: Connection, application: str | None = None, *, retired: bool = False) -> list[str]:
    """Return the names of all schedules, or of those of an application; with ``retired`` also of these."""
    name = present_name(schedule)
    query = select(name).distinct().order_by(name).where(*if_given(schedule.c.application, application))
    return list(connection.scalars(query if retired else query.where(schedule.c.retired_at.is_(None))))


def schedules_named(
    connection: Connection, name: str | None, application: str | None, *, retired: bool = False
) -> set[ScheduleKey]:
    """Return (application, key) of the schedules of this name, or of all; with ``retired`` also of these."""
    if name is not None:
        return set(keys_named(connection, name, application, retired=retired))
    query = select(schedule.c.application, schedule.c.name).where(*if_given(schedule.c.application, application))
    rows = connection.execute(query if retired else query.where(schedule.c.retired_at.is_(None)))
    return {(of, each) for of, each in rows}


def schedules_tagged(connection: Connection, application: str | None, tag: str) -> set[ScheduleKey]:
    """Return (application, name) of the schedules with this tag; raises `NotFound` if none has it."""
    tags = _tags(connection, application, schedule.c.name)
    found = {key for key, some in tags.items() if tag in some}
    if not found:
        known = {each for some in tags.values() for each in some}
        raise NotFound(f'no schedule has the tag "{tag}"; {suggestion(tag, known)}')
    return found


def read_tags(connection: Connection) -> dict[ScheduleKey, tuple[str, ...]]:
    """Return the tags of the schedules that have any, by application and name; without those that are retired."""
    return _tags(connection, None, present_name(schedule))


def _tags(
    connection: Connection, application: str | None, name: ColumnElement[str]
) -> dict[ScheduleKey, tuple[str, ...]]:
    tagged = (schedule.c.retired_at.is_(None), definition_with("tags").is_not(None))
    query = select(schedule.c.application, name, definition_with("tags"))
    rows = connection.execute(query.where(*if_given(schedule.c.application, application), *tagged))
    found = ((of, called, tuple(json.loads(definition).get("tags", ()))) for of, called, definition in rows)
    return {(of, called): tags for of, called, tags in found if tags}


def applications(connection: Connection) -> list[str]:
    """Return the names of all applications that have replicas or have brought definitions."""
    return sorted(connection.scalars(union(*(select(each.c.application) for each in (generation, schedule, replica)))))


def require_application(connection: Connection, name: str | None) -> None:
    """Raise `NotFound` unless there is an application of this name; None is any."""
    if name is not None and name not in (known := applications(connection)):
        raise NotFound(f'there is no application "{name}"; {nearest_of(name, known)}')


def nearest_of(name: str, known: Collection[str]) -> str:
    """Return the remedy for the name of a schedule or an application that is not there."""
    return suggestion(name, known) if known else "there are none yet: `leased run FILE` or `leased sync FILE` adds them"


def timezone_of(connection: Connection, application: str, name: str) -> str:
    """Return the time zone of a schedule that is there."""
    keys = keys_named(connection, name, application, retired=True)
    definition = select(schedule.c.definition).where(are(keys))
    return read_policies(connection.execute(definition).scalars().first() or "{}").timezone


def require_schedule(
    connection: Connection, name: str | None, application: str | None, *, retired: bool = True
) -> None:
    """Raise `NotFound` unless there is, or was, a schedule of this name, in ``application`` if one is given. Without
    ``retired``, the retired ones are not offered in its place.
    """
    require_application(connection, application)
    if name is not None and not keys_named(connection, name, application, retired=True):
        raise missing_schedule(connection, name, application, retired=retired)


def missing_schedule(connection: Connection, name: str, application: str | None, *, retired: bool) -> NotFound:
    """Return the error about a schedule that does not exist, which names the nearest one."""
    known = schedule_names(connection, application, retired=retired)
    of = "" if application is None else f' of "{application}"'
    return NotFound(f'there is no schedule "{name}"{of}; {nearest_of(name, known)}')


def application_of(connection: Connection, schedule: str, application: str | None) -> str:
    """Return ``application``, or the only one that has the schedule.

    Raises `NotFound` if there is none, and `Ambiguous` if there are several.
    """
    require_application(connection, application)
    if application is not None:
        return application
    require_schedule(connection, schedule, None, retired=False)
    found = applications_with(connection, schedule) or applications_with(connection, schedule, retired=True)
    if len(found) > 1:
        raise Ambiguous(f'several applications have a schedule "{schedule}": add --application {" or ".join(found)}')
    return found[0]


def missing_run(connection: Connection, run_id: int) -> NotFound:
    """Return the error about a run that does not exist, which names the nearest ones."""
    before = connection.scalar(select(func.max(run.c.id)).where(run.c.id < run_id))
    after = connection.scalar(select(func.min(run.c.id)).where(run.c.id > run_id))
    match before, after:
        case None, None:
            return NotFound(
                f"run {run_id} does not exist; there are no runs yet (`leased trigger SCHEDULE` requests one)"
            )
        case int(), None:
            there = f"the newest is {before}"
        case None, int():
            there = f"the oldest is {after}"
        case _:
            there = f"the nearest are {before} and {after}"
    return NotFound(f"run {run_id} does not exist; {there} (`leased runs` lists them)")


RunMeant = Literal["latest", "begun", "not skipped", "active"]
"""latest: the newest; begun, not skipped: the newest that is that, otherwise the newest; active: those that are not over."""
_MOST = 5
"""How many active runs are returned at most: enough to say which may be meant."""


def runs_meant(connection: Connection, application: str, name: str, meant: RunMeant) -> list[int]:
    """Return the numbers of the runs that are meant, the newest first; raises `NotFound` if there is none."""
    keys = keys_named(connection, name, application, retired=True)
    newest = select(run.c.id).where(among_keys((run.c.application, run.c.schedule), keys)).order_by(run.c.id.desc())
    latest = list(connection.scalars(newest.limit(1)))
    if not latest:
        raise NotFound(f'there is no run of "{name}" yet; `leased trigger {name}` requests one')
    match meant:
        case "latest":
            return latest
        case "begun":
            return list(connection.scalars(newest.where(run.c.started_at.is_not(None)).limit(1))) or latest
        case "not skipped":
            return list(connection.scalars(newest.where(run.c.state != "skipped").limit(1))) or latest
        case "active":
            found = list(connection.scalars(newest.where(run.c.state.in_(UNFINISHED)).limit(_MOST)))
            if not found:
                raise NotFound(f'no run of "{name}" is active; the latest is run {latest[0]}, and it is over')
            return found
        case _:
            assert_never(meant)
