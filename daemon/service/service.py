"""A replica as a service: database, heartbeat, registry entry, web server and loop, assembled."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from lease.client import LeaseClient
from lease.clock import boot_id
from lease.database.address import plain_url
from lease.database.backend import backend_of
from lease.database.database import Database
from lease.database.opening import open_database
from lease.errors import StoreUnavailable

from ..definitions.application import Application
from ..errors import DaemonError
from ..execution.context import ReplicaContext
from ..jobs.task_thread import TaskThread
from ..operations.trigger import trigger_now
from ..recovery import registry
from ..scheduling.wall_clock import WallClock
from ..store import statements
from ..telemetry.facts import LeaseChanged, Note
from ..telemetry.logs import flush_logs
from ..telemetry.notifier import Notifier
from ..web.address import WebAddress
from ..web.app import WebServer, web_app
from .readiness import Readiness
from .replica import Replica
from .settings import Settings
from .stop_requests import SIGNAL_BASE, StopRequests


class Superseded(DaemonError):
    """These definitions are not the current ones, and no run of theirs would be made."""


class StoppingTooLong(DaemonError):
    """Stopping took longer than a supervisor would wait."""


FAILED = 1
_PATIENCE = 5
"""The factor by which a transaction of the daemon may take longer than a renewal."""
_CONNECTIONS = 4
_LAST_WORDS = 0.5
"""Seconds for subscribers to take the last facts of a process that ends at once."""


def serve(
    application: Application,
    settings: Settings,
    facts: Notifier,
    *,
    now: Sequence[str] = (),
    until_idle: bool = False,
    web: WebAddress | None = None,
    take_over: bool = False,
) -> int:
    """Run a replica until a stop request or, with ``until_idle``, until there is nothing to do.

    ``now`` names schedules to trigger after the sync; ``take_over`` makes these definitions the current
    ones. Return the exit status: 0; 1 if a run failed
    with ``until_idle``; 128 + n after signal n. Raises `LeaseError` if the database cannot be used
    at the start.
    """
    # Jobs find the database of their lease there, in any working directory.
    os.environ["LEASED_DATABASE_URL"] = plain_url(settings.database)
    service = Service(application, settings, facts, take_over=take_over)
    return asyncio.run(service.serve(now, until_idle=until_idle, web=web))


class Service:
    """A replica and the resources that it needs."""

    def __init__(
        self, application: Application, settings: Settings, facts: Notifier, *, take_over: bool = False
    ) -> None:
        self._application = application
        self._settings = settings
        self._facts = facts
        self._take_over = take_over
        self._tasks = TaskThread()
        self._stopping: threading.Timer | None = None

    async def serve(self, now: Sequence[str], *, until_idle: bool, web: WebAddress | None) -> int:
        """Open, register, sync, clean up, work, and close it all again; return the exit status."""
        try:
            return await self._serve(now, until_idle=until_idle, web=web)
        finally:
            if self._stopping is not None:
                self._stopping.cancel()

    async def _serve(self, now: Sequence[str], *, until_idle: bool, web: WebAddress | None) -> int:
        async with self._opened() as context:
            replica, requests = await self._replica(context)
            with requests.handled():
                async with self._registered(context), self._served(replica, context.client, web):
                    triggered = await self._prepare(context, replica, now, until_idle=until_idle)
                    await self._work(replica, until_idle=until_idle)
                    failed = await self._any_failed(context, replica, triggered)
        if requests.signal is not None:
            return SIGNAL_BASE + requests.signal
        return FAILED if until_idle and failed else 0

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[ReplicaContext]:
        """Open the database and start the heartbeat."""
        url, timing = self._settings.database, self._settings.timing
        timeout = timing.attempt_timeout * _PATIENCE
        database = open_database(url, timeout=timeout, connections=_CONNECTIONS, application="leased daemon")
        notify = self._facts.notify
        try:
            async with LeaseClient(url, timing=timing, on_event=lambda event: notify(LeaseChanged(event))) as client:
                yield ReplicaContext(self._application, database, client, self._tasks, notify)
        finally:
            self._tasks.stop()
            await database.close()

    async def _replica(self, context: ReplicaContext) -> tuple[Replica, StopRequests]:
        wall_clock = await _wall_clock(context.database)
        replica = Replica(context, self._settings, _entry(context), wall_clock)
        return replica, StopRequests(replica, self._settings.grace, context.notify, begun=self._limit_stopping)

    @asynccontextmanager
    async def _registered(self, context: ReplicaContext) -> AsyncIterator[None]:
        """Register this replica so that others can prove it dead (rule 18)."""
        entry, database = _entry(context), context.database
        await database.write(lambda connection: registry.register(connection, entry))
        try:
            yield
        finally:
            with suppress(StoreUnavailable):  # its leases show that it is gone
                await database.write(lambda connection: registry.mark_stopped(connection, entry.holder))

    @asynccontextmanager
    async def _served(self, replica: Replica, client: LeaseClient, web: WebAddress | None) -> AsyncIterator[None]:
        """Answer over HTTP during the block, if an address is given."""
        if web is None:
            yield
            return
        readiness = Readiness(replica, client, self._tasks)
        app = web_app(
            readiness.loops, readiness.problems, self._settings.token, readiness.counts, replica.rollout.standing
        )
        server = WebServer(app, web)
        self._facts.notify(Note(f"http://{server.start()}/livez"))
        try:
            yield
        finally:
            server.stop()

    async def _prepare(
        self, context: ReplicaContext, replica: Replica, now: Sequence[str], *, until_idle: bool
    ) -> list[int]:
        """Settle what a crash left (rule 18), bring the definitions, and trigger ``now``."""
        application = self._application
        await replica.clean_up()
        rules = await replica.join(take_over=self._take_over)
        if not rules and until_idle:
            raise Superseded(
                f'these definitions of "{application.name}" are superseded by others, whose replicas are at work; '
                "run those, or make these current with --take-over"
            )
        if not now:
            return []
        return await context.database.write(lambda connection: trigger_now(connection, application.name, now))

    async def _work(self, replica: Replica, *, until_idle: bool) -> None:
        """Run the loop; end the process at once if work cannot be stopped (rule 9)."""
        failing = asyncio.create_task(self._end_on_failure(replica))
        try:
            await replica.run(until_idle=until_idle)
        finally:
            if replica.runs.failure is not None:
                self._end_process(replica.runs.failure)
            failing.cancel()

    async def _end_on_failure(self, replica: Replica) -> None:
        await replica.runs.failed.wait()
        if replica.runs.failure is not None:
            self._end_process(replica.runs.failure)

    def _limit_stopping(self) -> None:
        """End the process if stopping takes too long, so that no supervisor has to kill it (rule 19).

        What it holds goes stale, and its keepers end what is left of its work.
        """
        if self._stopping is None:
            longest = self._settings.longest_stop
            late = StoppingTooLong(
                f"stopping has taken {longest:g}s: ending this process; what it still holds will go stale"
            )
            self._stopping = threading.Timer(longest, self._end_process, [late])
            self._stopping.daemon = True
            self._stopping.start()

    def _end_process(self, failure: BaseException) -> None:
        self._facts.notify(Note(str(failure)))
        self._facts.flush(_LAST_WORDS)
        flush_logs()
        os._exit(FAILED)

    async def _any_failed(self, context: ReplicaContext, replica: Replica, triggered: Sequence[int]) -> bool:
        """Return whether a run failed here, or a triggered run elsewhere, which is reported too."""
        failed = any(run.outcome == "failed" for run in replica.runs.executed)
        for run_id in sorted(set(triggered) - {run.run_id for run in replica.runs.executed}):
            row = await context.database.read(partial(statements.run.read, run_id=run_id))
            if row is not None:
                context.notify(Note(f'run {run_id} of "{row.schedule}" was executed by another replica: {row.state}'))
                failed = failed or row.state == "failed"
        return failed


def _entry(context: ReplicaContext) -> registry.ReplicaEntry:
    application = context.application
    return registry.own_entry(context.client.holder, application.name, application.digest)


async def _wall_clock(database: Database) -> WallClock | None:
    """Return the watch of the wall clock, which SQLite goes by; None for a database with its own.

    It starts from what other replicas last recorded.
    """
    if backend_of(database.url).has_own_clock:
        return None
    if not boot_id() or sys.platform != "linux":
        return WallClock()
    ticks = os.sysconf("SC_CLK_TCK")
    return WallClock(await database.read(lambda c: registry.wall_clock_offset(c, boot_id(), ticks)))
