"""The statements of the lease protocol, one function each, for PostgreSQL and SQLite alike.

Each takes a SQLAlchemy connection and runs in the caller's own transaction, so that other programs
(the daemon, say) can grant and release together with writes of their own.
"""

from .breaks import break_grant
from .endings import Release, end_dead, release, release_all, settle
from .fences import FENCED_OFF, IN_SAVEPOINT, fence, fence_call, fence_values, fenced_off, refusal
from .grants import grant, grant_free
from .queues import CHANNEL, Queue, leave_queue, lock_queues, notify, queue_up, read_queues, write_queue
from .records import list_prefix, read
from .renewals import RenewedPairs, renew, renew_unlocked

__all__ = [
    "CHANNEL",
    "FENCED_OFF",
    "IN_SAVEPOINT",
    "Queue",
    "Release",
    "RenewedPairs",
    "break_grant",
    "end_dead",
    "fence",
    "fence_call",
    "fence_values",
    "fenced_off",
    "grant",
    "grant_free",
    "leave_queue",
    "list_prefix",
    "lock_queues",
    "notify",
    "queue_up",
    "read",
    "read_queues",
    "refusal",
    "release",
    "release_all",
    "renew",
    "renew_unlocked",
    "settle",
    "write_queue",
]
