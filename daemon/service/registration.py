"""The registration of a replica, by which others can prove it dead, and that it has ended (rule 18)."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import Connection

from lease.clock import boot_id
from lease.database.address import describe, parse_address
from lease.database.backend import backend_of
from lease.database.database import Database
from lease.errors import StoreUnavailable

from ..execution.context import ReplicaContext
from ..recovery import registry
from ..scheduling.wall_clock import WallClock
from ..store import statements
from ..telemetry.facts import ReplicaStarted
from ..version import package_version


@asynccontextmanager
async def registered(
    context: ReplicaContext, earlier_holder: str | None = None, concurrency: int | None = None
) -> AsyncIterator[None]:
    """Register this replica, which has so many places for runs, during the block.

    ``earlier_holder`` is the replica that this very process was before it started anew. Others find
    its process alive, so nobody else can tell that it has ended, if the database was away as it did.
    """
    entry, database, application = entry_of(context, concurrency), context.database, context.application

    def transaction(connection: Connection) -> int | None:
        registry.register(connection, entry)
        if earlier_holder is not None:
            registry.mark_earlier_stopped(connection, earlier_holder)
        return statements.generation.number_of(connection, application.name, application.digest)

    generation = await database.write(transaction)
    database_name, ttl = describe(parse_address(database.url)), context.client.timing.ttl
    context.notify(
        ReplicaStarted(context.client.label, package_version(), application.name, generation, database_name, ttl)
    )
    try:
        yield
    finally:
        with suppress(StoreUnavailable):  # its leases show that it is gone
            await database.write(lambda connection: registry.mark_stopped(connection, entry.holder))


def entry_of(context: ReplicaContext, concurrency: int | None = None) -> registry.ReplicaEntry:
    """Return the entry of this replica."""
    application = context.application
    return registry.own_entry(
        context.client.holder,
        application.name,
        application.digest,
        revision=application.revision,
        requires_revision=application.require_revision,
        release=application.release,
        concurrency=concurrency,
    )


async def expected_wall_clock(database: Database) -> WallClock | None:
    """Return the watch of the wall clock, which SQLite goes by; None for a database with its own.

    It starts from what other replicas last recorded.
    """
    if backend_of(database.url).has_own_clock:
        return None
    if not boot_id() or sys.platform != "linux":
        return WallClock()
    ticks = os.sysconf("SC_CLK_TCK")
    return WallClock(await database.read(lambda c: registry.wall_clock_offset(c, boot_id(), ticks)))
