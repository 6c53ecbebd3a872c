"""Where the parts are put together: one replica with its database, heartbeat, web server and signals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Row

from lease.client import LeaseClient
from lease.clock import boot_id
from lease.database.address import parse_address, plain_url
from lease.database.database import Database
from lease.database.engines import open_database
from lease.errors import StoreUnavailable

from ..definitions.model import Application
from ..execution.context import ReplicaContext
from ..jobs.task_thread import TaskThread
from ..operations.requester import requester
from ..operations.trigger import trigger
from ..recovery import registry
from ..recovery.dead_replicas import settle_stale
from ..recovery.own_entry import own_entry
from ..scheduling.sync import sync
from ..scheduling.wall_clock import WallClock
from ..store import statements
from ..telemetry.watcher import Watcher
from ..web.address import WebAddress
from ..web.app import WebServer, web_app
from ..web.health import Beat
from .replica import Replica
from .settings import Settings
from .supervisor_pipe import supervisor_gone, supervisor_pipe

FAILED = 1
INTERRUPTED = 128
_PATIENCE = 5
"""How many times longer than a renewal a transaction of the daemon may take."""
_LOOP_LIMIT = 30.0
"""Seconds after which a loop that has not come round counts as dead."""


def serve(
    application: Application,
    settings: Settings,
    *,
    now: Sequence[str] = (),
    until_idle: bool = False,
    web: WebAddress | None = None,
    watcher: Watcher,
) -> int:
    """Run one replica until it is told to stop (or, with ``until_idle``, until there is nothing to do); return the exit status.

    ``now`` names schedules to trigger once the definitions are in the database. Status 0: all is well; 1: a run failed while
    ``until_idle``; 128 + n: ended by signal n. Raises `LeaseError` when the database cannot be used at the start.
    """
    # Jobs find the database of their lease there, whatever the folder that they run in.
    os.environ["LEASED_DATABASE_URL"] = plain_url(settings.database)
    return asyncio.run(_Service(application, settings, watcher).serve(now, until_idle=until_idle, web=web))


class _Service:
    def __init__(self, application: Application, settings: Settings, watcher: Watcher) -> None:
        self._application = application
        self._settings = settings
        self._watcher = watcher
        self._signal: int | None = None
        self._triggered: list[int] = []
        """The runs that ``--now`` made, whoever executes them."""
        self._failed_elsewhere = False
        self._tasks = TaskThread()

    async def serve(self, now: Sequence[str], *, until_idle: bool, web: WebAddress | None) -> int:
        timing = self._settings.timing
        database = open_database(
            self._settings.database,
            timeout=timing.attempt_timeout * _PATIENCE,
            connections=4,
            application="leased daemon",
        )
        try:
            async with LeaseClient(
                self._settings.database, timing=timing, on_event=self._watcher.lease_event
            ) as client:
                around = ReplicaContext(self._application, database, client, self._tasks, self._watcher)
                entry = own_entry(client.holder, self._application.name)
                replica = Replica(around, self._settings, entry, await self._wall_clock(database))
                self._take_signals(replica)
                async with self._registered(database, entry), self._served(replica, client, web):
                    await self._prepare(database, now)
                    await self._run(replica, until_idle=until_idle)
                    await self._read_triggered(database, replica)
        finally:
            self._tasks.stop()
            await database.close()
        return self._status(replica, until_idle=until_idle)

    async def _wall_clock(self, database: Database) -> WallClock | None:
        """Return what watches the wall clock on SQLite, which has no other; begun with what other replicas took for the time."""
        if parse_address(self._settings.database).get_backend_name() != "sqlite":
            return None
        if not boot_id() or sys.platform != "linux":
            return WallClock()
        ticks = os.sysconf("SC_CLK_TCK")
        return WallClock(await database.read(lambda connection: registry.wall_clock_of(connection, boot_id(), ticks)))

    async def _prepare(self, database: Database, now: Sequence[str]) -> None:
        """Bring the definitions into the database, settle what an earlier crash left (rule 18), and trigger what was asked for."""
        report = await database.write(lambda connection: sync(connection, self._application))
        self._watcher.note(f'application "{self._application.name}": {report}')
        for settled in await settle_stale(database, self._application.name):
            self._watcher.note(
                f'startup cleanup: run {settled.run_id} of "{settled.schedule}" was left behind (token {settled.grant.token}); {settled.outcome}'
            )
        for name in now:
            self._triggered.append(await database.write(partial(_trigger_now, self._application.name, name)))

    async def _run(self, replica: Replica, *, until_idle: bool) -> None:
        watching = asyncio.create_task(self._watch_supervisor(replica))
        failing = asyncio.create_task(self._end_on_failure(replica))
        try:
            await replica.run(until_idle=until_idle)
        finally:
            if replica.failure is not None:
                self._end_at_once(replica)
            failing.cancel()
            watching.cancel()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _end_on_failure(self, replica: Replica) -> None:
        await replica.failed.wait()
        self._end_at_once(replica)

    def _end_at_once(self, replica: Replica) -> None:
        """What cannot be ended is still at work: only the end of the process ends it (rule 9), whatever else waits for the database."""
        self._watcher.note(str(replica.failure))
        os._exit(FAILED)

    async def _read_triggered(self, database: Database, replica: Replica) -> None:
        """Tell how those runs of ``--now`` ended that another replica executed."""
        elsewhere = set(self._triggered) - {ended.run_id for ended in replica.ended}
        for run_id in sorted(elsewhere):
            row = await database.read(partial(_read_run, run_id))
            if row is not None:
                self._watcher.note(f'run {run_id} of "{row.schedule}" was executed by another replica: {row.state}')
                self._failed_elsewhere = self._failed_elsewhere or row.state == "failed"

    def _take_signals(self, replica: Replica) -> None:
        """From before others know of this replica: on its way up too it drains. The first process of a container would not even hear one."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, replica, number)

    def _on_signal(self, replica: Replica, number: int) -> None:
        if self._signal is None:
            self._signal = number
            self._watcher.note(
                f"{signal.Signals(number).name}: claiming nothing more, and letting jobs finish for up to "
                f"{self._settings.grace:g}s; a second signal stops them at once"
            )
            replica.drain()
        else:
            self._watcher.note(f"{signal.Signals(number).name} again: stopping jobs at once")
            replica.stop_at_once()

    async def _watch_supervisor(self, replica: Replica) -> None:
        await supervisor_gone(supervisor_pipe())
        self._watcher.note("the supervisor is gone: draining")
        replica.drain()

    @asynccontextmanager
    async def _registered(self, database: Database, entry: registry.ReplicaEntry) -> AsyncIterator[None]:
        """Stand in the table of replicas: by that others can prove our death (rule 18)."""
        await database.write(lambda connection: registry.register(connection, entry))
        try:
            yield
        finally:
            with suppress(StoreUnavailable):  # others see that it is gone by its leases
                await database.write(lambda connection: registry.leave(connection, entry.holder))

    @asynccontextmanager
    async def _served(self, replica: Replica, client: LeaseClient, web: WebAddress | None) -> AsyncIterator[None]:
        if web is None:
            yield
            return
        started = monotonic()

        def loops() -> dict[str, Beat]:
            return {
                "replica": Beat(replica.age() if replica.running else monotonic() - started, _LOOP_LIMIT),
                "heartbeat": Beat(client.heartbeat_age(), client.timing.give_up),
            }

        app = web_app(loops, lambda: self._problems(replica, client), self._settings.token, replica.counts)
        server = WebServer(app, web)
        self._watcher.note(f"http://{server.start()}/livez")
        try:
            yield
        finally:
            server.stop()

    def _status(self, replica: Replica, *, until_idle: bool) -> int:
        if self._signal is not None:
            return INTERRUPTED + self._signal
        failed = self._failed_elsewhere or any(ended.state == "failed" for ended in replica.ended)
        return FAILED if until_idle and failed else 0

    def _problems(self, replica: Replica, client: LeaseClient) -> dict[str, str]:
        found = {}
        if replica.draining:
            found["draining"] = "it was told to stop, and claims nothing more"
        if not replica.running:
            found["starting"] = "it has not come up yet"
        if replica.unreachable_since is not None:
            found["database"] = f"unreachable for {monotonic() - replica.unreachable_since:.0f}s"
        if client.heartbeat_age() > client.timing.renew_every * 2:
            found["heartbeat"] = f"not seen at work for {client.heartbeat_age():.0f}s"
        if self._tasks.age() > _LOOP_LIMIT:
            found["tasks"] = f"an async job has blocked the loop of async jobs for {self._tasks.age():.0f}s"
        return found


def _trigger_now(application: str, schedule: str, connection: Connection) -> int:
    return trigger(connection, application, schedule, requested_by=requester(), why="leased run --now")


def _read_run(run_id: int, connection: Connection) -> Row[Any] | None:
    return statements.run.read(connection, run_id)
