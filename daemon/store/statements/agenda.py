"""The query by which a replica learns what there is to do.

It looks up the first of each kind by an index, and counts nothing: it takes as long with ten runs
that wait as with a hundred thousand.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from lease.database.dialects import clock, now, seconds_between, seconds_until
from lease.database.held.statement import Statement
from lease.schema import broken_under, free_or_stale, lease

from ..tables import Reader, replica, run, schedule
from .dialects import (
    MOMENT,
    STRINGS,
    among_these,
    at_last_chance,
    on_last_chance,
    parameter,
    pending,
    running,
    unfinished,
)
from .requests import first_to_feed, placed, unplaced
from .run import marked

MOST_BLOCKED = 100
"""The runs behind live leases of which one is waited for; of more, others are looked at when these have gone on."""


class Found(NamedTuple):
    """The finds of a look: the seconds until moments, and the first schedule, or run digest, of each kind, if any."""

    database_time: datetime
    until_due: float | None
    until_late: float | None
    until_place: float | None
    until_start: float | None
    until_free: float | None
    until_stale: float | None
    put_back: bool | None
    others_running: bool
    due_schedule: str | None
    late_schedule: str | None
    place_schedule: str | None
    fed_schedule: str | None
    available: str | None
    starting: str | None
    pending: str | None
    running: str | None

    @property
    def digests(self) -> Sequence[str | None]:
        """The digests of all runs that were found."""
        return self.available, self.starting, self.pending, self.running

    @property
    def schedules(self) -> Sequence[str | None]:
        """The names of all schedules that were found."""
        return self.due_schedule, self.late_schedule, self.place_schedule, self.fed_schedule


def read(
    connection: Connection,
    application: str,
    other_digests: Sequence[str],
    other_schedules: Sequence[str],
    holder: str | None,
) -> Found:
    """Look for what there is but for the runs of ``other_digests`` and the instants of ``other_schedules``."""
    others = {"other_schedules": other_schedules, "other_digests": other_digests}
    (row,) = _READ(connection, {"application": application, **others, "of_holder": holder or ""})
    return _FOUND.read(row)


def digests(connection: Connection, application: str) -> list[str | None]:
    """Return the run digests of the definitions that unfinished runs were made from."""
    query = select(run.c.digest).where(run.c.application == application, unfinished())
    return list(connection.scalars(query.distinct()))


def schedules(connection: Connection, application: str) -> list[str]:
    """Return the names of all schedules of an application, of retired ones too."""
    return list(connection.scalars(select(schedule.c.name).where(schedule.c.application == application)))


_application = parameter("application")
_holder = parameter("of_holder")
_other_schedules = parameter("other_schedules", STRINGS)
_other_digests = parameter("other_digests", STRINGS)

LIVE = and_(lease.c.holder.is_not(None), ~free_or_stale())
UNTIL_FREE = seconds_between(clock(), lease.c.expires_at)
_known = and_(run.c.digest.is_not(None), ~among_these(run.c.digest, _other_digests))

BY_START = (run.c.available_at, run.c.id)
_by_schedule = (run.c.schedule, run.c.scheduled_for, run.c.id)
_all_pending = (run.c.application == _application, unfinished(), pending())
# In a form that no index has: SQLite would take another one that begins alike, and look at all runs ever.
_at_work = (run.c.application + literal_column("''", Text) == _application, running())


def _first(
    name: str, moment: ColumnElement[Any], of: ColumnElement[str], *where: ColumnElement[bool]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return the seconds until the earliest ``moment``, and what it is ``of``, else NULL; ``name`` is its query's."""
    earliest = select(moment.label("moment"), of.label("of")).where(*where).order_by(moment).limit(1).cte(name)
    return select(seconds_until(earliest.c.moment)).scalar_subquery(), select(earliest.c.of).scalar_subquery()


def _found(*where: ColumnElement[bool], first_by: Sequence[ColumnElement[Any]] = ()) -> ColumnElement[Any]:
    """Return the digest of the first such run, else NULL. In the order of an index: else PostgreSQL
    takes it that one is soon found among all that ever were.
    """
    return select(run.c.digest).where(*where).order_by(*first_by).limit(1).scalar_subquery()


def _runs_that_may_start(*where: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Return the conditions of the runs in no queue that this replica may claim, but for their leases."""
    apart = and_(at_last_chance(_holder), on_last_chance())  # the end of that run wakes this replica
    return [run.c.application == _application, run.c.queue.is_(None), pending(), *where, ~marked(), ~apart]


def until_own_lease(due: Sequence[ColumnElement[bool]], *outer: FromClause) -> ColumnElement[Any]:
    """Return the seconds until the first of the leases is free for which runs wait that are ``due``: that may start by now.
    They may be those of a row of ``outer``.
    """
    blocked = (
        select(UNTIL_FREE.label("until_free"))
        .select_from(run.join(lease, lease.c.name == run.c.lease_name))
        .where(*due, LIVE)
        .order_by(*BY_START)
        .limit(MOST_BLOCKED)
        .correlate(*outer)
        .subquery()
    )
    return select(func.min(blocked.c.until_free)).correlate(*outer).scalar_subquery()


def _until_stale() -> ColumnElement[Any]:
    """Return the seconds until a lease of a run at work is stale, whoever has it (rule 18); 0 for one that is lost."""
    held = and_(lease.c.holder == run.c.holder, lease.c.token == run.c.token, LIVE)
    ours = or_(held, broken_under(run.c.holder, run.c.token))
    query: Select[Any] = (
        select(func.min(case((ours, UNTIL_FREE), else_=0.0)))
        .select_from(run.outerjoin(lease, lease.c.name == run.c.lease_name))
        .where(*_at_work)
    )
    return query.scalar_subquery()


def _put_back_though_marked() -> ColumnElement[Any]:
    """Return whether a marked run is pending; only a replica of 0.1.0, which names no digest, puts one back."""
    older = exists().where(replica.c.application == _application, replica.c.digest.is_(None))
    found = _found(*_all_pending, marked(), first_by=_by_schedule)
    return case((older, found.is_not(None)))


_available = _found(
    *_runs_that_may_start(run.c.available_at <= MOMENT, _known),
    ~exists().where(lease.c.name == run.c.lease_name, LIVE),
    first_by=BY_START,
)
_in_application = run.c.application == _application
_is_ours = ~among_these(schedule.c.name, _other_schedules)
_is_due = (schedule.c.application == _application, schedule.c.next_due.is_not(None), _is_ours)
_until_due, _due_schedule = _first("due", schedule.c.next_due, schedule.c.name, *_is_due)
_of_ours = ~among_these(run.c.schedule, _other_schedules)
_has_limit = (_in_application, pending(), run.c.start_by.is_not(None), run.c.started_at.is_(None), _of_ours)
_until_late, _late_schedule = _first("late", run.c.start_by, run.c.schedule, *_has_limit)
_lacks_place = (_in_application, pending(), unplaced(), _of_ours)
_until_place, _place_schedule = _first("lacking", run.c.place_at, run.c.schedule, *_lacks_place)
_until_start, _starting = _first(
    "starting", run.c.available_at, run.c.digest, *_runs_that_may_start(run.c.available_at > MOMENT, _known)
)
_FOUND = Reader(
    Found,
    database_time=now(),
    until_due=_until_due,
    until_late=_until_late,
    until_place=_until_place,
    until_start=_until_start,
    # Else it would look at all that may start.
    until_free=case(
        (_available.is_(None), until_own_lease(_runs_that_may_start(run.c.available_at <= MOMENT, _known)))
    ),
    until_stale=_until_stale(),
    put_back=_put_back_though_marked(),
    others_running=exists().where(*_at_work, run.c.holder != _holder),
    due_schedule=_due_schedule,
    late_schedule=_late_schedule,
    place_schedule=_place_schedule,
    fed_schedule=first_to_feed(_application, _other_schedules),
    available=_available,
    starting=_starting,
    pending=_found(*_all_pending, _known, placed(), first_by=_by_schedule),
    running=_found(*_at_work, _known),
)
_READ = Statement(select(*_FOUND.columns))
