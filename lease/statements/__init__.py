"""The statements of the lease protocol, one function each, for PostgreSQL and SQLite alike.

Each takes a SQLAlchemy connection and runs in the caller's own transaction, so that other programs
(the daemon, say) can grant and release together with writes of their own. What is one statement is a `Call`
(`granting`, `renewing`): call it with a connection too, or have a database make it by itself in one round trip.

The life of a lease is in `grants`, `renewals` and `endings`; `fences`, and the break in `endings`, are what stops a
holder. `queues` serves those who wait, `records` reads, and `restoring` is for a database that was set back.
"""

from .endings import Release, break_grant, end, end_dead, hold, in_force, lock, release, release_all, releasing, settle
from .fences import OtherDatabase, fence, prove, refusal
from .grants import grant, granting
from .queues import CHANNEL, Queue, Queued, leave_queues, notify, notifying, queue_up, queueing, read_queues
from .records import list_prefix, read, reading
from .renewals import renew, renewing, renewing_unlocked
from .restoring import held_now, lift

__all__ = [
    "CHANNEL",
    "OtherDatabase",
    "Queue",
    "Queued",
    "Release",
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
    "renewing",
    "renewing_unlocked",
    "settle",
]
