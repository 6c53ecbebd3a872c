"""The parts of a replica, whoever runs it: opened, put together, and closed again."""

from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path

from lease.client import LeaseClient
from lease.database.address import parse_address, plain_url, schema_in
from lease.database.backend import SCHEMA
from lease.database.opening import open_database

from ..definitions.application import Application
from ..delivery.deliverer import delivering
from ..delivery.fleet_ping import FleetPing, pinging
from ..delivery.sending import Sender
from ..execution.context import ReplicaContext
from ..jobs.processes.trust_page import TrustPages
from ..jobs.task_thread import TaskThread
from ..jobs.templates.templates import Templates
from ..pruning.pruner import pruning
from ..telemetry.facts import Fact, LeaseChanged, Note, Notify
from ..telemetry.spans import found_spans
from .environment import SOFT_LIMIT, withhold_secrets
from .readiness import Readiness
from .registration import entry_of, expected_wall_clock, registered
from .replica import Replica
from .settings import Settings
from .waking.hearing import Hearing

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
async def opened(
    application: Application, settings: Settings, tasks: TaskThread, notify: Notify, environment: Mapping[str, str]
) -> AsyncIterator[ReplicaContext]:
    """Open the database and start the heartbeat; children inherit ``environment``. ``tasks`` ends with the block."""
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
            yield ReplicaContext(*parts) if spans is None else ReplicaContext(*parts, carrier=spans.carrier)
    finally:
        templates.close()
        trust.close()
        tasks.stop()
        await database.close()


async def assembled(context: ReplicaContext, settings: Settings, hearing: Hearing) -> Replica:
    """Return the replica, which is to be registered, to clean up and to join."""
    clock = await expected_wall_clock(context.database)
    return Replica(context, settings, entry_of(context, settings.concurrency), clock, hearing)


@asynccontextmanager
async def surrounded(
    context: ReplicaContext, replica: Replica, settings: Settings, earlier_holder: str | None = None
) -> AsyncIterator[None]:
    """Register the replica during the block (see `registered`); prune, and deliver messages beside it."""
    async with (
        registered(context, earlier_holder, settings.concurrency),
        delivering(
            *(context.database, context.application, context.notify),
            listeners=context.listeners,
            takeover_after=settings.takeover_after,
            pages=settings.web_url,
        ),
        pinging(_fleet_ping(context, replica, settings), settings.database),
        pruning(context.database, context.client, context.application.name, context.notify, replica),
    ):
        yield


def _fleet_ping(context: ReplicaContext, replica: Replica, settings: Settings) -> FleetPing | None:
    if settings.ping is None:
        return None
    readiness = Readiness(replica, context.client, context.tasks)
    return FleetPing(
        *(context.database, context.client, context.application.name, context.notify),
        target={"ping": True, "url": settings.ping.get_secret_value()},
        is_alive=lambda: replica.running and all(beat.alive for beat in readiness.loops().values()),
        sender=Sender({}, Path()),
    )
