"""Locks that live for seconds and are renewed by a heartbeat, each with a fencing token.

Use `LeaseClient` with asyncio, and `lease.sync.LeaseClient` with threads and in scripts:

    with lease.sync.LeaseClient("postgresql://…") as client, client.hold("daily-report") as held:
        with engine.begin() as connection:
            held.fence(connection)
            ...  # your writes

docs/reference/library.md describes every name; the rest is for those who change the code.
`lease.statements` is the protocol (grant, renew, release, fence). `lease.heartbeat` renews, and
decides what an answer means. docs/internals/rules.md has the rules by number.

The life of a lease, in the order in which a `hold` gets there; `sync` has a twin for event loops, `client`:

    sync                   begins a hold, and leaves it
    calls.acquiring        asks for a name, and waits for its turn, in the caller's own thread or event loop
    calls.steps            takes the steps of a call, and lends it a connection
    statements.grants      grants it: one statement
    heartbeat.heartbeat    renews it, declares it lost, finds what replies lost
    calls.releasing        ends it, and wakes who waits

What cannot be done by the caller passes `runtime` (the library's thread), `core` (with a table of all ends of a
grant), and `database_store`. `grant_state` is what all know of a grant that is held; those who wait for
one stand in line within their client (`turns`), and their client in a queue (`waiters`); on PostgreSQL
`lease.database.listening` wakes them, on SQLite they look now and then (`database_store`).
`lease.database` is what lies below: addresses, connections, and where PostgreSQL and SQLite differ.

Each name is imported on first use, so a program that needs only a duration, an error or a clock loads no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from .model import Break, Grant, LeaseRecord, Loss, LossKind
    from .schema import create_tables
    from .timing import LeaseTiming

__all__ = [
    "Acquisition",
    "Break",
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

_HOMES = ("errors", "durations", "model", "timing", "schema", "fences", "client")
"""Where a name may be, first where least is loaded."""
_MODULES = {"clock", "events", "schema", "statements", "sync"}
_ALSO_THERE = {"client", "durations", "errors", "model", "testing", "timing"}
"""Modules that can be named after ``import lease`` alone, as ``lease.errors``: programs written for 0.1.0 do."""


if not TYPE_CHECKING:  # a type checker would take every name for one of ours

    def __getattr__(name: str) -> object:
        if name in _MODULES or name in _ALSO_THERE:
            return import_module(f".{name}", __name__)
        if name in __all__:
            for module in (import_module(f".{home}", __name__) for home in _HOMES):
                if hasattr(module, name):
                    found = globals()[name] = getattr(module, name)
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
