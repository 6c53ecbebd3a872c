"""The statements of the lease protocol, one function each, for PostgreSQL and SQLite alike.

Each takes a SQLAlchemy connection and runs in the caller's own transaction, so that other programs
(the daemon, say) can grant and release together with writes of their own. What is one statement is
there as a `Call` too, which a database makes by itself in one round trip.

The life of a lease is in `grants`, `renewals` and `endings`; `fences`, and the break in `endings`, are what stops a
holder. `queues` and `queueing` serve those who wait, `records` reads, and `restoring` is for a
database that was set back.
"""

from .endings import (
    Release,
    break_grant,
    end,
    end_dead,
    hold,
    in_force,
    lock,
    release,
    release_all,
    releasing,
    settle,
)
from .fences import (
    FENCED_OFF,
    OtherDatabase,
    fence,
    prove,
    refusal,
)
from .grants import grant, granting
from .queueing import Queued, queueing
from .queues import CHANNEL, Queue, leave_queues, lock_queues, notify, notifying, queue_up, read_queues, write_queue
from .records import list_prefix, read, reading
from .renewals import RenewedPairs, renew, renew_unlocked, renewing, renewing_unlocked
from .restoring import Lifted, held_now, lift

__all__ = [
    "CHANNEL",
    "FENCED_OFF",
    "Lifted",
    "OtherDatabase",
    "Queue",
    "Queued",
    "Release",
    "RenewedPairs",
    "break_grant",
    "end",
    "end_dead",
    "fence",
    "grant",
    "granting",
    "held_now",
    "hold",
    "in_force",
    "leave_queues",
    "lift",
    "list_prefix",
    "lock",
    "lock_queues",
    "notify",
    "notifying",
    "prove",
    "queue_up",
    "queueing",
    "read",
    "read_queues",
    "reading",
    "refusal",
    "release",
    "release_all",
    "releasing",
    "renew",
    "renew_unlocked",
    "renewing",
    "renewing_unlocked",
    "settle",
    "write_queue",
]
