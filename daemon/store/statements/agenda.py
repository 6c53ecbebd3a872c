"""The queries by which a replica learns what there is to do; and those on queues, in which runs with a priority wait, and
those that share a lock with several slots.

They look up the first of each kind by an index, and count nothing: it takes as long with ten runs that wait as with a
hundred thousand.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, and_, case, exists, func, literal_column, or_, select, union

from lease.database.dialects import clock, now, seconds_between, seconds_until
from lease.database.held.statement import Statement
from lease.schema import broken_under, free_or_stale, lease

from ...states import QUEUES_OF_PRIORITY
from ..tables import Reader, backfill, replica, run, schedule
from .dialects import MOMENT, among, among_given, as_rows, given, parameter, pending, running, stands_apart, unfinished
from .requests import may_feed, placed, unplaced
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

LIVE = and_(lease.c.holder.is_not(None), ~free_or_stale())
UNTIL_FREE = seconds_between(clock(), lease.c.expires_at)
_known = and_(run.c.digest.is_not(None), ~among_given(run.c.digest, "other_digests"))

BY_START = (run.c.available_at, run.c.id)
_by_schedule = (run.c.schedule, run.c.scheduled_for, run.c.id)
_all_pending = (run.c.application == _application, unfinished(), pending)
# In a form that no index has: SQLite would take another one that begins alike, and look at all runs ever.
_at_work = (run.c.application + literal_column("''") == _application, running)


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
    apart = stands_apart(_holder)  # the end of that run wakes this replica
    return [run.c.application == _application, run.c.queue.is_(None), pending, *where, ~marked, ~apart]


def until_own_lease(due: Sequence[ColumnElement[bool]], *outer: Any) -> ColumnElement[Any]:
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


_available = _found(
    *_runs_that_may_start(run.c.available_at <= MOMENT, _known),
    ~exists().where(lease.c.name == run.c.lease_name, LIVE),
    first_by=BY_START,
)
_in_application = run.c.application == _application
_is_due = (
    schedule.c.application == _application,
    schedule.c.next_due.is_not(None),
    ~among_given(schedule.c.name, "other_schedules"),
)
_until_due, _due_schedule = _first("due", schedule.c.next_due, schedule.c.name, *_is_due)
_of_ours = ~among_given(run.c.schedule, "other_schedules")
_has_limit = (_in_application, pending, run.c.start_by.is_not(None), run.c.started_at.is_(None), _of_ours)
_until_late, _late_schedule = _first("late", run.c.start_by, run.c.schedule, *_has_limit)
_lacks_place = (_in_application, pending, unplaced(), _of_ours)
_until_place, _place_schedule = _first("lacking", run.c.place_at, run.c.schedule, *_lacks_place)
_until_start, _starting = _first(
    "starting", run.c.available_at, run.c.digest, *_runs_that_may_start(run.c.available_at > MOMENT, _known)
)
_feedable = (backfill.c.application == _application, may_feed, ~among_given(backfill.c.schedule, "other_schedules"))
_is_held = and_(lease.c.holder == run.c.holder, lease.c.token == run.c.token, LIVE)
_is_ours = or_(_is_held, broken_under(run.c.holder, run.c.token))
_and_lease = run.outerjoin(lease, lease.c.name == run.c.lease_name)
_older = exists().where(replica.c.application == _application, replica.c.digest.is_(None))
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
    # Of a run at work, whoever has it (rule 18); 0 for one that is lost.
    until_stale=select(func.min(case((_is_ours, UNTIL_FREE), else_=0.0)))
    .select_from(_and_lease)
    .where(*_at_work)
    .scalar_subquery(),
    # Of those that are marked; only a replica of 0.1.0, which names no digest, puts one back.
    put_back=case((_older, _found(*_all_pending, marked, first_by=_by_schedule).is_not(None))),
    others_running=exists().where(*_at_work, run.c.holder != _holder),
    due_schedule=_due_schedule,
    late_schedule=_late_schedule,
    place_schedule=_place_schedule,
    fed_schedule=select(backfill.c.schedule).where(*_feedable).order_by(backfill.c.id).limit(1).scalar_subquery(),
    available=_available,
    starting=_starting,
    pending=_found(*_all_pending, _known, placed(), first_by=_by_schedule),
    running=_found(*_at_work, _known),
)
_READ = Statement(select(*_FOUND.columns))


# The queues


class InQueue(NamedTuple):
    """The finds of a look at one queue: the seconds until moments, and the digests of the first runs, if any."""

    until_start: float | None
    until_free: float | None
    """Until the first of the leases is free for which runs wait that may start by now."""
    available: str | None
    """Of the first run that may start by now, whose lease is free, or for which there is a free slot."""
    starting: str | None


def read_queues(
    connection: Connection,
    application: str,
    queues: Mapping[str, Sequence[str]],
    other_digests: Iterable[str],
    holder: str | None,
) -> list[InQueue]:
    """Look for what waits in ``queues`` but for the runs of ``other_digests``. Each queue is given with the leases of
    its slots; the runs of one without slots wait for leases of their own.
    """
    if not queues:
        return []
    values = {
        "application": application,
        "queues": as_rows((name, len(leases)) for name, leases in queues.items()),
        "slots": as_rows((name, slot) for name, leases in queues.items() for slot in leases),
        "other_digests": list(other_digests),
        "of_holder": holder or "",
    }
    return list(map(_IN_QUEUE.read, _READ_QUEUES(connection, values)))


def taken(connection: Connection, leases: Iterable[str]) -> set[str]:
    """Return which of these leases are live."""
    return {name for (name,) in _TAKEN(connection, {"leases": list(leases)})}


def waiting_for(connection: Connection, application: str, locks: Collection[str]) -> list[str]:
    """Return those of ``locks``, which have one slot each, under which a run is to start by now."""
    query = select(run.c.lease_name).where(
        run.c.application == application, pending, run.c.available_at <= MOMENT, among(run.c.lease_name, locks)
    )
    return list(connection.scalars(union(query.where(run.c.queue.is_(None)), query.where(_of_priority))))


def applications_waiting(connection: Connection, locks: Collection[str], queues: Collection[str]) -> list[str]:
    """Return the applications with a replica of which a run waits for one of these shared locks, or in these queues."""
    waits = (run.c.application == replica.c.application, pending, run.c.available_at.is_not(None))
    under = (*waits, among(run.c.lease_name, locks))
    found = [
        exists().where(*under, run.c.queue.is_(None)),
        exists().where(*under, _of_priority),
        exists().where(*waits, run.c.queue.is_not(None), among(run.c.queue, queues)),
    ]
    return list(connection.scalars(select(replica.c.application).where(or_(*found)).distinct()))


_of_priority = run.c.queue.in_(QUEUES_OF_PRIORITY)
_queues = given("queues", name=str, slots=Integer)
_slots = given("slots", queue=str, lease=str)
_claimable = (
    run.c.application == _application,
    run.c.queue == _queues.c.name,
    pending,
    run.c.digest.is_not(None),
    ~among_given(run.c.digest, "other_digests"),
    ~marked,
    ~stands_apart(_holder),
)
_due = (*_claimable, run.c.available_at <= MOMENT)
_shares = _queues.c.slots > 0
_live_slots = _slots.join(lease, and_(lease.c.name == _slots.c.lease, LIVE))


def _of_slots(what: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return something of the slots of a queue that are taken."""
    query = select(what).select_from(_live_slots).where(_slots.c.queue == _queues.c.name)
    return query.correlate(_queues).scalar_subquery()


_has_slot = _of_slots(func.count()) < _queues.c.slots


def _first_in(of: ColumnElement[Any], *where: ColumnElement[bool]) -> ColumnElement[Any]:
    query = select(of).where(*where).order_by(*BY_START).limit(1)
    return query.correlate(_queues).scalar_subquery()


_starts_later = (*_claimable, run.c.available_at > MOMENT)
_own_lease_is_live = exists().where(lease.c.name == run.c.lease_name, LIVE)
_first_due = _first_in(run.c.digest, *_due)
_first_free = _first_in(run.c.digest, *_due, ~_own_lease_is_live)
_until_free_slot = _of_slots(func.min(UNTIL_FREE))
_full = and_(_shares, ~_has_slot, _first_due.is_not(None))
# Else it would look at all that may start.
_all_blocked = and_(~_shares, _first_free.is_(None))
_IN_QUEUE = Reader(
    InQueue,
    until_start=_first_in(seconds_until(run.c.available_at), *_starts_later),
    until_free=case((_full, _until_free_slot), (_all_blocked, until_own_lease(_due, _queues))),
    available=case((and_(_shares, _has_slot), _first_due), (~_shares, _first_free)),
    starting=_first_in(run.c.digest, *_starts_later),
)
_READ_QUEUES = Statement(select(*_IN_QUEUE.columns).select_from(_queues))
_TAKEN = Statement(select(lease.c.name).where(among_given(lease.c.name, "leases"), LIVE))
