"""A replica as a service: database, heartbeat, registry entry, web server and loop, assembled."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from time import monotonic

from starlette.routing import BaseRoute

from ..definitions.application import Application
from ..errors import DaemonError
from ..execution.context import ReplicaContext
from ..jobs.output.output import parted_streams
from ..jobs.task_thread import TaskThread
from ..operations.trigger import trigger_now
from ..pruning.pruner import prune_at_the_end
from ..store import statements
from ..telemetry.facts import Note, ReplicaEnded
from ..telemetry.line_writer import written_to
from ..telemetry.logs import flush_logs
from ..telemetry.notifier import Notifier
from ..web.address import WebAddress
from ..web.api.desk import Desk
from ..web.api.routes import api_routes
from ..web.pages.routes import page_routes
from .doctor import doctor
from .metering import metered
from .outside.hangups import SIGNAL_BASE
from .outside.outside import Outside
from .outside.stop_requests import Reload, StopRequests
from .parts import assembled, make_fit_for_jobs, opened, surrounded
from .readiness import Readiness
from .replica import Replica
from .settings import Settings
from .waking.opening import hearing_of
from .web_service import door_to, served


class Superseded(DaemonError):
    """These definitions are not the current ones, and no run of theirs would be made."""


FAILED = 1
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
    guarded: bool = False,
    outside: Outside | None = None,
) -> int:
    """Run a replica until a stop request or, with ``until_idle``, until there is nothing to do.

    ``now`` names schedules to trigger after the sync; ``take_over`` makes these definitions the current
    ones, and if ``guarded``, they supersede nothing that others run. Return the exit status: 0; 1 if a run failed
    with ``until_idle``; 128 + n after signal n.
    `Outside.to_start_anew` is then set if the process is to start anew instead. Raises `LeaseError` if
    the database cannot be used at the start.
    """
    make_fit_for_jobs(os.environ, settings)
    service = Service(application, settings, facts, take_over=take_over, guarded=guarded, outside=outside)
    with written_to(sys.stderr), parted_streams():
        return asyncio.run(service.serve(now, until_idle=until_idle, web=web))


class Service:
    """A replica and the resources that it needs."""

    def __init__(
        self,
        application: Application,
        settings: Settings,
        facts: Notifier,
        *,
        take_over: bool = False,
        guarded: bool = False,
        outside: Outside | None = None,
    ) -> None:
        self._application = application
        self._settings = settings
        self._facts = facts
        self._take_over = take_over
        self._guarded = guarded
        self._outside = outside or Outside()
        self._tasks = TaskThread(facts.notify)
        self._stopping: threading.Timer | None = None

    async def serve(self, now: Sequence[str], *, until_idle: bool, web: WebAddress | None) -> int:
        """Open, register, sync, clean up, work, and close it all again; return the exit status."""
        try:
            return await self._serve(now, until_idle=until_idle, web=web)
        finally:
            if self._stopping is not None:
                self._stopping.cancel()

    async def _serve(self, now: Sequence[str], *, until_idle: bool, web: WebAddress | None) -> int:
        started = monotonic()
        parts = opened(self._application, self._settings, self._tasks, self._facts.notify, os.environ)
        async with parts as context, hearing_of(context) as hearing:
            replica = await assembled(context, self._settings, hearing)
            requests = self._requests_to(replica, context)
            reload = Reload(self._outside, requests, context.notify, until_idle=until_idle)
            with requests.handled(), reload.handled():
                async with (
                    surrounded(context, replica, self._settings, self._outside.earlier_holder),
                    self._observed(replica, context, web),
                ):
                    triggered = await self._prepare(context, replica, now, until_idle=until_idle)
                    self._report_ready(requests)
                    reload.joined()
                    await self._work(replica, until_idle=until_idle)
                    if until_idle and not requests.stopping:
                        of, trusts = self._application.name, replica.planner.guard
                        await prune_at_the_end(context.database, context.client, of, context.notify, trusts)
                    failed = await self._any_failed(context, replica, triggered)
        self._facts.notify(ReplicaEnded(context.client.label, monotonic() - started, replica.runs.tally))
        if requests.starts_anew:
            self._outside.to_start_anew = context.client.holder
        return (FAILED if until_idle and failed else 0) if requests.signal is None else SIGNAL_BASE + requests.signal

    def _requests_to(self, replica: Replica, context: ReplicaContext) -> StopRequests:
        def begun() -> None:
            self._limit_stopping()
            if not requests.starts_anew:
                self._outside.manager.stopping("draining")

        grace, signals = self._settings.grace, self._outside.stop_signals
        requests = StopRequests(replica, grace, context.notify, begun=begun, signals=signals)
        return requests

    @asynccontextmanager
    async def _observed(self, replica: Replica, context: ReplicaContext, web: WebAddress | None) -> AsyncIterator[None]:
        """Answer over HTTP and feed the watchdog during the block, as far as they are asked for."""
        readiness, outside = Readiness(replica, context.client, self._tasks), self._outside
        fed = outside.manager.watch(lambda: all(beat.alive for beat in readiness.loops().values()))
        feeding = asyncio.create_task(fed)
        try:
            door = None if web is None else door_to(web, self._settings)
            standing, facts, url = replica.rollout.standing, self._facts, self._settings.database
            with ExitStack() as open_:
                routes: list[BaseRoute] = []
                if web is not None:
                    open_.callback((desk := Desk(url)).close)
                    metrics = open_.enter_context(metered(context, replica, readiness.loops, facts, url))
                    routes += (
                        *metrics,
                        *api_routes(desk, self._settings.takeover_after, partial(doctor, self._settings)),
                        *page_routes(desk, self._settings.takeover_after, partial(doctor, self._settings)),
                    )
                async with served(readiness, door, outside.link, facts.notify, standing=standing, routes=routes):
                    yield
        finally:
            feeding.cancel()

    def _report_ready(self, requests: StopRequests) -> None:
        if not requests.stopping:
            self._outside.link.ready()
            self._outside.manager.ready(f'ready to claim runs of "{self._application.name}"')

    async def _prepare(
        self, context: ReplicaContext, replica: Replica, now: Sequence[str], *, until_idle: bool
    ) -> list[int]:
        """Settle what a crash left (rule 18), bring the definitions, and trigger ``now``."""
        await replica.clean_up()
        rules = await replica.join(take_over=self._take_over, guarded=self._guarded)
        if rules is False and until_idle:
            raise Superseded(
                f'these definitions of "{self._application.name}" are superseded by newer ones, whose replicas '
                "are running; run those, or make these active with --take-over"
            )
        if until_idle and (higher := await context.database.read(replica.required.look)) is not None:
            raise Superseded(
                f'revision {self._application.revision} of "{self._application.name}" runs nothing because a '
                f"replica of revision {higher} is ready and require_revision is set; run that one"
            )
        if not now or rules is None:
            return []
        return await context.database.write(lambda connection: trigger_now(connection, self._application.name, now))

    async def _work(self, replica: Replica, *, until_idle: bool) -> None:
        """Run the loop; end the process at once if work cannot be stopped (rule 9)."""
        failing = asyncio.create_task(self._end_on_failure(replica))
        try:
            await replica.run(until_idle=until_idle)
        finally:
            if replica.runs.failure is not None:
                self._end_process(f"{replica.runs.failure}: exiting")
            failing.cancel()

    async def _end_on_failure(self, replica: Replica) -> None:
        await replica.runs.failed.wait()
        if replica.runs.failure is not None:
            self._end_process(f"{replica.runs.failure}: exiting")

    def _limit_stopping(self) -> None:
        """End the process if stopping takes too long, so that no supervisor has to kill it (rule 19).

        What it holds goes stale, and its keepers end what is left of its work.
        """
        if self._stopping is None:
            longest = self._settings.longest_stop
            late = f"stopping took longer than {longest:g}s: exiting; its leases will expire"
            self._stopping = threading.Timer(longest, self._end_process, [late])
            self._stopping.daemon = True
            try:
                self._stopping.start()
            except RuntimeError:  # the system has no thread left
                asyncio.get_running_loop().call_later(longest, self._end_process, late)

    def _end_process(self, why: str) -> None:
        self._facts.notify(Note(why, is_warning=True))
        self._facts.flush(_LAST_WORDS)
        flush_logs()
        os._exit(FAILED)

    async def _any_failed(self, context: ReplicaContext, replica: Replica, triggered: Sequence[int]) -> bool:
        """Return whether a run failed here, or a triggered run elsewhere, which is reported too."""
        failed = bool(replica.runs.tally["failed"]) or bool(replica.set_aside)
        for run_id in sorted(set(triggered) - {run.run_id for run in replica.runs.executed}):
            row = await context.database.read(partial(statements.run.read, run_id=run_id))
            if row is not None:
                called = context.rows.name(row.schedule)
                context.notify(Note(f'run {run_id} of "{called}" was executed by another replica: {row.state}'))
                failed = failed or row.state == "failed"
        return failed
