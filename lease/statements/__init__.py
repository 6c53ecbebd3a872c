"""The statements of the lease protocol, one function each, for PostgreSQL and SQLite alike.

Each takes a SQLAlchemy connection and runs in the caller's own transaction, so that other programs
(the daemon, say) can grant and release together with writes of their own.
"""

from .endings import Release, end_dead, release, settle
from .fences import FENCED_OFF, fence
from .grants import grant
from .records import list_prefix, read
from .renewals import RenewedPairs, renew, renew_unlocked
from .waiters import CHANNEL, await_release, notify

__all__ = [
    "CHANNEL",
    "FENCED_OFF",
    "Release",
    "RenewedPairs",
    "await_release",
    "end_dead",
    "fence",
    "grant",
    "list_prefix",
    "notify",
    "read",
    "release",
    "renew",
    "renew_unlocked",
    "settle",
]
