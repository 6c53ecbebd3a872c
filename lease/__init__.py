"""Lease-based locks: a lock that lives for seconds, renewed by a heartbeat, with a fencing token for the work done under it.

Where to read on: `lease.statements` is the protocol (grant, renew, release, fence), `lease.heartbeat` keeps it alive, `lease.verdicts`
decides what an answer means. docs/explanation/rules.md has the rules by number.
"""

from . import clock, events, schema, statements, sync
from .client import Acquisition, Lease, LeaseClient
from .durations import Duration, format_duration, parse_duration
from .errors import (
    InvalidDuration,
    InvalidName,
    InvalidTiming,
    LeaseError,
    LeaseLost,
    LeaseNotAcquired,
    SchemaMissing,
    StaleToken,
    StoreUnavailable,
)
from .fences import fence
from .model import Grant, LeaseRecord, Loss, LossKind
from .schema import create_tables
from .timing import LeaseTiming

__all__ = [
    "Acquisition",
    "Duration",
    "Grant",
    "InvalidDuration",
    "InvalidName",
    "InvalidTiming",
    "Lease",
    "LeaseClient",
    "LeaseError",
    "LeaseLost",
    "LeaseNotAcquired",
    "LeaseRecord",
    "LeaseTiming",
    "Loss",
    "LossKind",
    "SchemaMissing",
    "StaleToken",
    "StoreUnavailable",
    "clock",
    "create_tables",
    "events",
    "fence",
    "format_duration",
    "parse_duration",
    "schema",
    "statements",
    "sync",
]
