"""Schedules as they are stored, the replicas that can execute them, what is retired, and what remains of an application."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from lease.database.dialects import now, seconds_between

from ...states import SEEN_WITHIN, ReplicaState
from ...text import when
from ..statements.dialects import among_keys, are, if_given
from ..statements.generation import read_run_digests
from ..tables import Reader, ScheduleKey, former_names, generation, present_name, run, schedule
from .acting import in_force
from .names import Called
from .replicas import read_replicas


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule, retired or not."""

    application: str
    schedule: str
    former: tuple[str, ...]
    """The names that it had, the newest first."""
    definition: str
    """JSON."""
    timing: str
    run_digest: str | None
    next_due: datetime | None
    anchor: datetime
    created_at: datetime
    changed_at: datetime
    retired_at: datetime | None
    retired_by: str | None


@dataclass(frozen=True, slots=True)
class Living:
    """A replica that is recorded as alive."""

    holder: str
    name: str
    """``host:pid``."""
    state: ReplicaState
    seen_ago: float
    generation: int | None
    run_digests: frozenset[str]
    """Those of the schedules that it can execute."""

    @property
    def is_seen(self) -> bool:
        """It counts as living after its last sign of life."""
        return self.seen_ago < SEEN_WITHIN


def read_defined(connection: Connection, key: ScheduleKey) -> StoredSchedule:
    """Return a schedule that is there."""
    of_key = (schedule.c.application == key[0], schedule.c.name == key[1])
    name, timing = present_name(schedule), schedule.c.trigger
    reader = Reader(StoredSchedule, schedule, but=("former",), schedule=name, timing=timing)
    row: Any = connection.execute(select(*reader.columns, schedule.c.former).where(*of_key)).one()
    return reader.read(row, former=tuple(former_names(row)))


def read_stored(connection: Connection, schedules: Collection[ScheduleKey]) -> dict[ScheduleKey, tuple[str, datetime]]:
    """Return the stored definition of each schedule of these names, and from when its intervals count."""
    columns = (schedule.c.application, present_name(schedule), schedule.c.definition, schedule.c.anchor)
    rows = connection.execute(select(*columns).where(are(Called(connection).keys(schedules))))
    return {(application, name): (definition, anchor) for application, name, definition, anchor in rows}


def read_living(connection: Connection, application: str) -> list[Living]:
    """Return the replicas of an application that are recorded as alive, each with what it can execute."""
    lines = sorted(read_replicas(connection, application=application), key=attrgetter("host", "pid"))
    numbers = sorted({line.generation for line in lines if line.generation is not None})
    of_numbers = (generation.c.application == application, generation.c.number.in_(numbers))
    stored = connection.execute(select(generation.c.number, generation.c.run_digests).where(*of_numbers))
    known = {number: frozenset(read_run_digests(text)) for number, text in stored}
    return [
        Living(
            *(one.holder, f"{one.host}:{one.pid}", one.state, one.seen_ago, one.generation),
            known.get(one.generation or 0, frozenset()),
        )
        for one in lines
    ]


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
        return retirement(self.retired_at, self.retired_by)

    @property
    def in_words(self) -> str:
        return f"{self.schedule} ({self.application}) was {self.how}"


_RETIRED = Reader(RetiredSchedule, schedule, schedule=present_name(schedule))


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
    """Return what was retired in the last ``within`` seconds and still is, only ``by`` these (application, generation)."""
    lately = (schedule.c.retired_at.is_not(None), seconds_between(schedule.c.retired_at, now()) < within)
    query = select(*_RETIRED.columns).where(*lately, *if_given(schedule.c.application, application))
    if by is not None:
        query = query.where(among_keys((schedule.c.application, schedule.c.retired_by), sorted(by)))
    order = (schedule.c.retired_at.desc(), schedule.c.application, schedule.c.name)
    return list(map(_RETIRED.read, connection.execute(query.order_by(*order))))


def read_retirements(connection: Connection, name: str, application: str | None = None) -> list[RetiredSchedule]:
    """Return how the schedules of this name were retired, those that are."""
    which = (present_name(schedule) == name, schedule.c.retired_at.is_not(None))
    query = select(*_RETIRED.columns).where(*which, *if_given(schedule.c.application, application))
    return list(map(_RETIRED.read, connection.execute(query.order_by(schedule.c.application))))


@dataclass(frozen=True, slots=True)
class Remaining:
    """The counts of schedules that are not retired, and of runs that are not over."""

    schedules: int
    paused: int
    overdue: int
    due_since: datetime | None
    """The first scheduled time that no replica has planned yet."""
    running: int
    waiting: int


def read_remaining(connection: Connection, application: str) -> Remaining:
    """Return what there is of an application; all zero if the database does not know it."""
    is_due = and_(schedule.c.enabled, schedule.c.next_due <= now())
    of_schedules = select(
        func.count(),
        func.coalesce(func.sum(case((in_force(), 1), else_=0)), 0),
        func.coalesce(func.sum(case((is_due, 1), else_=0)), 0),
        func.min(case((is_due, schedule.c.next_due))),
    ).where(schedule.c.application == application, schedule.c.retired_at.is_(None))
    schedules, paused, overdue, due_since = connection.execute(of_schedules).one()
    which = (run.c.application == application, run.c.state.in_(("pending", "running")))
    of_runs = select(run.c.state, func.count().label("runs")).where(*which).group_by(run.c.state)
    runs = {row.state: row.runs for row in connection.execute(of_runs)}
    return Remaining(schedules, paused, overdue, due_since, runs.get("running", 0), runs.get("pending", 0))
