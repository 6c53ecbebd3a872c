"""The statements on queues, in which runs with a priority wait, and those that share a lock with several slots; and on
who waits for a lock.

Each looks at the first of a queue by an index: it takes as long with ten runs that wait as with a hundred thousand.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, and_, case, exists, func, or_, select, union

from lease.database.dialects import seconds_until
from lease.database.held.statement import Statement
from lease.schema import lease

from ...states import QUEUES_OF_PRIORITY
from ..tables import Reader, replica, run
from .agenda import BY_START, LIVE, UNTIL_FREE, until_own_lease
from .dialects import (
    MOMENT,
    STRINGS,
    among,
    among_these,
    as_rows,
    at_last_chance,
    given,
    on_last_chance,
    parameter,
    pending,
)
from .run import marked


class InQueue(NamedTuple):
    """The finds of a look at one queue: the seconds until moments, and the digests of the first runs, if any."""

    until_start: float | None
    until_free: float | None
    """Until the first of the leases is free for which runs wait that may start by now."""
    available: str | None
    """Of the first run that may start by now, whose lease is free, or for which there is a free slot."""
    starting: str | None

    @property
    def digests(self) -> tuple[str | None, ...]:
        """The digests of all runs that were found."""
        return self.available, self.starting


def read(
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
    return list(map(_IN_QUEUE.read, _READ(connection, values)))


def taken(connection: Connection, leases: Iterable[str]) -> set[str]:
    """Return which of these leases are live."""
    return {name for (name,) in _TAKEN(connection, {"leases": list(leases)})}


def waiting_for(connection: Connection, application: str, locks: Collection[str]) -> list[str]:
    """Return those of ``locks``, which have one slot each, under which a run is to start by now."""
    query = select(run.c.lease_name).where(
        run.c.application == application, pending(), run.c.available_at <= MOMENT, among(run.c.lease_name, locks)
    )
    return list(connection.scalars(union(query.where(run.c.queue.is_(None)), query.where(_of_priority))))


def applications_waiting(connection: Connection, locks: Collection[str], queues: Collection[str]) -> list[str]:
    """Return the applications with a replica of which a run waits for one of these shared locks, or in these queues."""
    waits = (run.c.application == replica.c.application, pending(), run.c.available_at.is_not(None))
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
_holder = parameter("of_holder")
_other_digests = parameter("other_digests", STRINGS)
_claimable = (
    run.c.application == parameter("application"),
    run.c.queue == _queues.c.name,
    pending(),
    run.c.digest.is_not(None),
    ~among_these(run.c.digest, _other_digests),
    ~marked(),
    ~and_(at_last_chance(_holder), on_last_chance()),
)
_due = (*_claimable, run.c.available_at <= MOMENT)
_shares = _queues.c.slots > 0
_live_slots = _slots.join(lease, and_(lease.c.name == _slots.c.lease, LIVE))


def _of_slots(what: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return something of the slots of a queue that are taken."""
    query = select(what).select_from(_live_slots).where(_slots.c.queue == _queues.c.name)
    return query.correlate(_queues).scalar_subquery()


_has_slot = _of_slots(func.count()) < _queues.c.slots


def _first(of: ColumnElement[Any], *where: ColumnElement[bool]) -> ColumnElement[Any]:
    query = select(of).where(*where).order_by(*BY_START).limit(1)
    return query.correlate(_queues).scalar_subquery()


_starting = (*_claimable, run.c.available_at > MOMENT)
_own_lease_is_live = exists().where(lease.c.name == run.c.lease_name, LIVE)
_first_due = _first(run.c.digest, *_due)
_first_free = _first(run.c.digest, *_due, ~_own_lease_is_live)
_until_free_slot = _of_slots(func.min(UNTIL_FREE))
_full = and_(_shares, ~_has_slot, _first_due.is_not(None))
# Else it would look at all that may start.
_all_blocked = and_(~_shares, _first_free.is_(None))
_IN_QUEUE = Reader(
    InQueue,
    until_start=_first(seconds_until(run.c.available_at), *_starting),
    until_free=case((_full, _until_free_slot), (_all_blocked, until_own_lease(_due, _queues))),
    available=case((and_(_shares, _has_slot), _first_due), (~_shares, _first_free)),
    starting=_first(run.c.digest, *_starting),
)
_READ = Statement(select(*_IN_QUEUE.columns).select_from(_queues))
_TAKEN = Statement(select(lease.c.name).where(among_these(lease.c.name, parameter("leases", STRINGS)), LIVE))
