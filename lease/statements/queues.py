"""The queue of those who wait for a lease, in its row (`lease.waiters`), and the notification of
whose turn it is (rule 15).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Text, bindparam, case, func, select, update

from ..database.backend import backend_of
from ..database.dialects import array_of, clock, lock_timeout, seconds_of, soon_committed, with_last
from ..database.held.statement import Call, Rows, Statement
from ..model import LeaseRecord
from ..schema import free_for, lease, named
from ..waiters import (
    LOOK,
    PLACE,
    Waiter,
    Waiters,
    entry_of,
    format_release,
    format_waiters,
    joined,
    parse_waiters,
    without,
)
from .records import columns, record_of

CHANNEL = "lease_turn"
"""PostgreSQL's channel of names just released, and of those whose turn it is."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What stands in the row of a lease about those who wait for it."""

    name: str
    holder: str | None
    waiting: Waiters
    moment: float
    """The clock that leases expire by, in seconds."""
    free_for: float | None
    """Seconds for which it has been free or stale; None: not known. Negative while it is live."""

    @property
    def is_live(self) -> bool:
        """Whether somebody holds it."""
        return self.free_for is not None and self.free_for < 0


@dataclass(frozen=True, slots=True)
class Queued:
    """What a client finds that has a place now."""

    record: LeaseRecord
    keeps: bool
    """It keeps its place until it looks again."""


def queueing(name: str, holder: str, label: str, lock_wait: float) -> Call[Queued | None]:
    """Return the call that gives ``holder`` a place in the queue of ``name`` if it has none, which
    it does not keep for longer if it has one; None where there is no row.

    It waits at most ``lock_wait`` seconds for a row that is locked; a fence of it is not in the way.
    A place that a crash of the server loses is taken again: the connection breaks, and all look.
    """
    values = {
        "of_name": name,
        "for_holder": holder,
        "for_label": label,
        "entry_of_holder": entry_of(holder),
        "lock_wait": lock_wait,
    }
    return Call(_QUEUE, values, lambda rows: _queued(rows, holder))


def _queued(rows: Rows, holder: str) -> Queued | None:
    if not rows:
        return None
    record, moment = record_of(rows[0]), rows[0][-1]
    return Queued(record, any(one.holder == holder and one.until > moment + LOOK for one in record.waiting))


def lock_queues(connection: Connection, names: Sequence[str], *, lock_wait: float | None = None) -> list[Queue]:
    """Lock the rows of ``names`` against other waiters and against a release, and return their queues. A fence of the
    row is not in the way; another lock is waited for, at most ``lock_wait`` seconds, or else the row is passed over.
    """
    if lock_wait is None:
        return _of(_LOCK(connection, {"names": array_of(names)}))
    return _of(_LOCK_IN_TIME(connection, {"names": array_of(names), "lock_wait": lock_wait}))


def read_queues(connection: Connection, names: Sequence[str]) -> list[Queue]:
    """Return the queues of ``names``, by name; a name never granted is missing."""
    return _of(_READ(connection, {"names": array_of(names)}))


def queue_up(connection: Connection, names: Sequence[str], holder: str, label: str) -> None:
    """Give ``holder`` a place in the queues of ``names``, or keep it; locked rows are passed over."""
    for queue in lock_queues(connection, names):
        place = Waiter(holder, label, queue.moment + PLACE)
        write_queue(connection, queue.name, joined(queue.waiting, place))


def write_queue(connection: Connection, name: str, waiting: Waiters) -> None:
    """Write the queue of ``name``, whose row this transaction has locked."""
    connection.execute(update(lease).where(lease.c.name == name).values(waiters=format_waiters(waiting)))


def leave_queues(connection: Connection, names: Sequence[str], holder: str, *, lock_wait: float) -> dict[str, Waiters]:
    """Give up the places of ``holder``, and remove those that have run out; return whose turn it is now, for each name
    that is free.
    """
    queues = lock_queues(connection, names, lock_wait=lock_wait)
    left = {queue.name: without(queue.waiting, holder) for queue in queues}
    if left:
        connection.execute(
            _LEAVE, [{"of_name": name, "left": format_waiters(waiting)} for name, waiting in left.items()]
        )
    return {queue.name: left[queue.name] for queue in queues if not queue.is_live}


def _of(rows: Rows) -> list[Queue]:
    return [
        Queue(name, holder, parse_waiters(waiters, moment), moment, free)
        for name, holder, waiters, moment, free in rows
    ]


def notify(connection: Connection, name: str, waiting: Waiters) -> None:
    """Notify those who listen that ``name`` was released, and whose turn it is; where nobody can
    listen, waiters look by themselves.
    """
    if backend_of(connection).listens:
        notifying(name, waiting)(connection)


def notifying(name: str, waiting: Waiters) -> Call[None]:
    """Return the call that is `notify`, for a database that can."""
    return Call(_NOTIFY, {"payload": format_release(name, waiting)}, lambda _: None)


_QUEUES = (
    select(
        lease.c.name, lease.c.holder, lease.c.waiters, seconds_of(clock()).label("moment"), free_for().label("free_for")
    )
    .where(named)
    .order_by(lease.c.name)
)
_READ = Statement(_QUEUES)
_LOCK = Statement(_QUEUES.with_for_update(skip_locked=True, key_share=True))
_LOCK_IN_TIME = Statement(_QUEUES.where(lock_timeout("lock_wait")).with_for_update(key_share=True))
_NOTIFY = Statement(select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text()))).where(soon_committed()))
_LEAVE = (
    update(lease)
    .where(lease.c.name == bindparam("of_name"), lease.c.waiters.is_not(None))
    .values(waiters=bindparam("left"))
)
_place = with_last(
    lease.c.waiters,
    bindparam("for_holder", type_=Text()),
    bindparam("for_label", type_=Text()),
    seconds_of(clock()) + PLACE,
)
_has_place = func.replace(lease.c.waiters, bindparam("entry_of_holder", type_=Text()), "") != lease.c.waiters
_QUEUE = Statement(
    update(lease)
    .where(lease.c.name == bindparam("of_name"), lock_timeout("lock_wait"), soon_committed())
    .values(waiters=case((_has_place, lease.c.waiters), else_=_place))
    .returning(*columns())
)
