"""The parts of a replica, whoever runs it: opened, put together, and closed again."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection

from lease.client import LeaseClient
from lease.clock import boot_id
from lease.database.address import describe, parse_address, plain_url, schema_in
from lease.database.backend import SCHEMA, backend_of
from lease.database.connections import route_to
from lease.database.database import Database
from lease.database.opening import open_database
from lease.errors import StoreUnavailable

from ..definitions.application import Application
from ..delivery.deliverer import delivering
from ..delivery.fleet_ping import FleetPing, pinging
from ..delivery.sending import Sender
from ..execution.context import ReplicaContext
from ..jobs.processes.trust_page import TrustPages
from ..jobs.task_thread import TaskThread
from ..jobs.templates.templates import Templates
from ..own_thread import beside
from ..pruning.pruner import Pruner
from ..recovery import registry
from ..scheduling.trusted_time import Trusts, WallClock
from ..store import statements
from ..telemetry.facts import Fact, LeaseChanged, Note, Notify, ReplicaStarted
from ..telemetry.spans import found_spans
from ..version import package_version
from .environment import SOFT_LIMIT, withhold_secrets
from .replica import Readiness, Replica
from .settings import Settings
from .waking.hearing import Commits, Hearing


@asynccontextmanager
async def registered(
    context: ReplicaContext, earlier_holder: str | None = None, concurrency: int | None = None
) -> AsyncIterator[None]:
    """Register this replica, which has so many places for runs, during the block.

    ``earlier_holder`` is the replica that this very process was before it started anew. Others find
    its process alive, so nobody else can tell that it has ended, if the database was away as it did.
    """
    database, application = context.database, context.application
    entry = registry.entry_of(application, context.client.holder, concurrency)

    def transaction(connection: Connection) -> int | None:
        registry.register(connection, entry)
        if earlier_holder is not None:
            statements.replica.mark_stopped_if_alive(connection, earlier_holder)
        return statements.generation.newest_number(connection, application.name, application.digest)

    generation = await database.write(transaction)
    label, where, ttl = context.client.label, describe(parse_address(database.url)), context.client.timing.ttl
    context.notify(ReplicaStarted(label, package_version(), application.name, generation, where, ttl))
    try:
        yield
    finally:
        with suppress(StoreUnavailable):  # its leases show that it is gone
            await database.write(lambda connection: registry.mark_stopped(connection, entry.holder))


async def judge_of_time(database: Database, notify: Notify) -> Trusts | None:
    """Return the judge of the wall clock, which SQLite goes by, from what was last recorded; None with a server."""
    if backend_of(database.url).has_own_clock:
        return None
    if not boot_id() or sys.platform != "linux":
        return WallClock(notify).trusts
    ticks = os.sysconf("SC_CLK_TCK")
    offset = await database.read(lambda c: registry.wall_clock_offset(c, boot_id(), ticks))
    return WallClock(notify, offset).trusts


_PATIENCE = 5
"""The factor by which a transaction of the daemon may take longer than a renewal."""
_CONNECTIONS = 4


def make_fit_for_jobs(environment: MutableMapping[str, str], settings: Settings) -> None:
    """Let jobs that inherit ``environment`` find the database of their lease, in any working directory, however
    it was named to this process, and give them no other secret of it.
    """
    withhold_secrets(environment, Settings.model_fields)
    environment.pop(SOFT_LIMIT, None)
    environment["LEASED_DATABASE_URL"] = plain_url(settings.database)
    environment.pop("LEASED_SCHEMA", None)  # a flag may have overruled it
    if (schema := schema_in(parse_address(settings.database))) not in {None, SCHEMA}:
        environment["LEASED_SCHEMA"] = str(schema)


@asynccontextmanager
async def hearing_of(context: ReplicaContext) -> AsyncIterator[Hearing]:
    """Let a replica hear during the block; at its end, what it has to say itself is sent."""
    url, hearing = context.database.url, Hearing()
    if (file := backend_of(url).file(url)) is not None:
        hearing = Commits(file, context.notify)
    elif backend_of(url).listens:
        from .waking.notifications import Notifications  # noqa: PLC0415 - its driver is loaded only where there is one

        hearing = Notifications(route_to(url), context.application.name, context.client.holder, context.notify)
    try:
        yield hearing
    finally:
        await hearing.close()
        await context.publisher.finish()


@asynccontextmanager
async def opened(
    application: Application, settings: Settings, tasks: TaskThread, notify: Notify, environment: Mapping[str, str]
) -> AsyncIterator[Replica]:
    """Open the database, start the heartbeat, and yield a replica that is to be registered, to clean up and to join.
    Children inherit ``environment``. ``tasks`` ends with the block.
    """
    url, timing = settings.database, settings.timing
    patience = timing.attempt_timeout * _PATIENCE
    database = open_database(url, timeout=patience, connections=_CONNECTIONS, application="leased daemon")
    trust = TrustPages(settings.concurrency)
    listeners: list[Callable[[Fact], None]] = []

    def told(fact: Fact) -> None:
        notify(fact)
        for listener in listeners:
            listener(fact)

    templates = Templates(application, lambda said: notify(Note(said)), environment)
    if (spans := found_spans()) is not None:
        listeners.append(spans.take)
    try:
        async with LeaseClient(url, timing=timing, on_event=lambda event: notify(LeaseChanged(event))) as client:
            parts = (application, database, client, tasks, trust, told, templates, listeners)
            context = ReplicaContext(*parts, carrier=None if spans is None else spans.carrier)
            async with hearing_of(context) as hearing:
                trusts = await judge_of_time(database, told)
                entry = registry.entry_of(application, client.holder, settings.concurrency)
                yield Replica(context, settings, entry, trusts, hearing)
    finally:
        templates.close()
        trust.close()
        tasks.stop()
        await database.close()


@asynccontextmanager
async def surrounded(replica: Replica, settings: Settings, earlier_holder: str | None = None) -> AsyncIterator[None]:
    """Register the replica during the block (see `registered`); prune, and deliver messages beside it."""
    context, ping = replica.context, None
    if settings.ping is not None:
        readiness, target = Readiness(replica), {"ping": True, "url": settings.ping.get_secret_value()}
        ping = FleetPing(context, target, Sender({}, Path()), lambda: replica.running and readiness.is_alive())
    pruner = Pruner(
        *(context.database, context.client, context.application.name, context.notify),
        stops=lambda: replica.draining,
        trusts=replica.planner.trusts,
    )
    async with (
        registered(context, earlier_holder, settings.concurrency),
        delivering(context, takeover_after=settings.takeover_after, pages=settings.web_url),
        pinging(ping, settings.database),
        beside(pruner.prune_on()),
    ):
        yield
