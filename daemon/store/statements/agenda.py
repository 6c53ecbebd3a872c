"""The query by which a replica learns what there is to do.

It looks up the first of each kind by an index, and counts nothing: it takes as long with ten runs that
wait as with a hundred thousand.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
)

from lease.database.dialects import clock, later, now, seconds_between, seconds_until
from lease.database.held.statement import Statement
from lease.schema import free_or_stale, lease

from ..tables import replica, run, schedule
from .cancel import marked
from .dialects import STRINGS, among, among_these, at_last_chance, on_last_chance, pending, running, unfinished

_MOST_BLOCKED = 100
"""The runs behind live leases of which one is waited for; of more, others are looked at when these have gone on."""


def read(
    connection: Connection, application: str, known: Mapping[str, str], holder: str | None, longest_wait: float
) -> Sequence[Any]:
    """Return the fields of `daemon.service.loop.agenda.Agenda`; no run waits longer than ``longest_wait`` seconds."""
    values = {
        "application": application,
        "names": list(known.keys()),
        "digests": list(set(known.values())),
        "of_holder": holder or "",
        "longest_wait": longest_wait,
    }
    (row,) = _READ(connection, values)
    return row


def waiting_for(connection: Connection, application: str, locks: Collection[str]) -> list[str]:
    """Return those of ``locks`` under which a run is to start by now."""
    query = select(run.c.lease_name).where(
        run.c.application == application, pending(), run.c.available_at <= now(), among(run.c.lease_name, locks)
    )
    return list(connection.scalars(query.distinct()))


def applications_waiting(connection: Connection, locks: Collection[str]) -> list[str]:
    """Return the applications of which a run waits for one of these shared locks."""
    query = select(run.c.application).where(pending(), run.c.available_at.is_not(None), among(run.c.lease_name, locks))
    return list(connection.scalars(query.distinct()))


_application: Any = bindparam("application", type_=Text())
_holder: Any = bindparam("of_holder", type_=Text())
_names: Any = bindparam("names", type_=STRINGS)
_digests: Any = bindparam("digests", type_=STRINGS)
_longest_wait: Any = bindparam("longest_wait", type_=Double())

_live = and_(lease.c.holder.is_not(None), ~free_or_stale())
_until_free = seconds_between(clock(), lease.c.expires_at)
# One moment, where an index is to be searched by it: PostgreSQL would ask the clock for each row.
_moment = select(now()).scalar_subquery()
_known = among_these(run.c.digest, _digests)

_by_start = (run.c.available_at, run.c.id)
_by_schedule = (run.c.schedule, run.c.scheduled_for, run.c.id)
_all_pending = (run.c.application == _application, unfinished(), pending())
# In a form that no index has: SQLite would take another one that begins alike, and look at all runs ever.
_at_work = (run.c.application + literal_column("''", Text) == _application, running())


def _first(moment: ColumnElement[Any], *where: ColumnElement[bool]) -> ColumnElement[Any]:
    """Return the seconds until the earliest ``moment``; NULL if there is none."""
    earliest = select(moment.label("moment")).where(*where).order_by(moment).limit(1).subquery()
    return select(seconds_until(earliest.c.moment)).scalar_subquery()


def _found(*where: ColumnElement[bool], first_by: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    """Return 1 if there is such a run, else NULL. In the order of an index: else PostgreSQL takes it that one is soon
    found among all that ever were.
    """
    return select(literal_column("1", Integer)).where(*where).order_by(*first_by).limit(1).scalar_subquery()


def _runs_that_may_start(*where: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    """Return the conditions of the runs that this replica may claim, but for their leases."""
    apart = and_(at_last_chance(_holder), on_last_chance())  # the end of that run wakes this replica
    return [run.c.application == _application, pending(), *where, ~marked(), ~apart]


def _under_live_leases() -> ColumnElement[Any]:
    """Return the seconds until the first of the leases is free for which runs wait that may start by now."""
    due = _runs_that_may_start(run.c.available_at <= now(), _known)
    blocked = (
        select(_until_free.label("until_free"))
        .select_from(run.join(lease, lease.c.name == run.c.lease_name))
        .where(*due, _live)
        .order_by(run.c.available_at, run.c.id)
        .limit(_MOST_BLOCKED)
        .subquery()
    )
    return select(func.min(blocked.c.until_free)).scalar_subquery()


def _until_stale() -> ColumnElement[Any]:
    """Return the seconds until a lease of a run at work is stale, whoever has it (rule 18); 0 for one that is lost."""
    ours = and_(lease.c.holder == run.c.holder, lease.c.token == run.c.token, _live)
    query: Select[Any] = (
        select(func.min(case((ours, _until_free), else_=0.0)))
        .select_from(run.outerjoin(lease, lease.c.name == run.c.lease_name))
        .where(*_at_work)
    )
    return query.scalar_subquery()


def _put_back_though_marked() -> ColumnElement[Any]:
    """Return whether a marked run is pending; only a replica of 0.1.0, which names no digest, puts one back."""
    older = exists().where(replica.c.application == _application, replica.c.digest.is_(None))
    found = _found(*_all_pending, marked(), first_by=_by_schedule)
    return case((older, found))


_available = _found(
    *_runs_that_may_start(run.c.available_at <= now(), _known),
    ~exists().where(lease.c.name == run.c.lease_name, _live),
    first_by=_by_start,
)
_in_application = run.c.application == _application
_READ = Statement(
    select(
        now().label("database_time"),
        _first(
            schedule.c.next_due,
            schedule.c.application == _application,
            schedule.c.next_due.is_not(None),
            among_these(schedule.c.name, _names),
        ),
        _first(
            run.c.start_by,
            _in_application,
            pending(),
            run.c.start_by.is_not(None),
            run.c.started_at.is_(None),
            among_these(run.c.schedule, _names),
        ),
        _available,
        _first(run.c.available_at, *_runs_that_may_start(run.c.available_at > _moment, _known)),
        case((_available.is_(None), _under_live_leases())),  # else it would look at all that may start
        _until_stale(),
        _put_back_though_marked(),
        _found(*_all_pending, _known, first_by=_by_schedule),
        exists().where(*_at_work, _known),
        exists().where(*_at_work, run.c.holder != _holder),
        _found(*_runs_that_may_start(run.c.available_at > later(_moment, _longest_wait), _known), first_by=_by_start),
    )
)
