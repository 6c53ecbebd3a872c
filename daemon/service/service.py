"""A replica as a service: database, heartbeat, registry entry, web server and loop, assembled."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from time import monotonic

from ..definitions.application import Application
from ..errors import DaemonError
from ..jobs.output import parted_streams
from ..jobs.task_thread import TaskThread
from ..operations.trigger import trigger_now
from ..own_thread import beside
from ..pruning.pruner import prune_at_the_end
from ..store import statements
from ..telemetry.facts import Note, ReplicaEnded
from ..telemetry.logs import flush_logs, written_to
from ..telemetry.notifier import Notifier
from ..web.address import WebAddress
from .outside.outside import SIGNAL_BASE, Outside
from .outside.stop_requests import StopRequests
from .parts import make_fit_for_jobs, opened, surrounded
from .replica import Readiness, Replica
from .settings import Settings

FAILED = 1
_LAST_WORDS = 0.5
"""Seconds for subscribers to take the last facts of a process that ends at once."""


@dataclass
class Service:
    """A replica and the resources that it needs."""

    application: Application
    settings: Settings
    facts: Notifier
    _: KW_ONLY
    now: Sequence[str] = ()
    """The schedules to trigger after the sync."""
    until_idle: bool = False
    web: WebAddress | None = None
    take_over: bool = False
    """Make these definitions the current ones."""
    guarded: bool = False
    """They supersede nothing that others run."""
    outside: Outside = field(default_factory=Outside)

    def __post_init__(self) -> None:
        self._tasks = TaskThread(self.facts.notify)
        self._stopping: threading.Timer | None = None

    def run(self) -> int:
        """Run a replica until a stop request or, with `until_idle`, until there is nothing to do.

        Return the exit status: 0; 1 if a run failed with `until_idle`; 128 + n after signal n. `Outside.to_start_anew` is
        then set if the process is to start anew instead. Raises `LeaseError` if the database cannot be used at the start.
        """
        make_fit_for_jobs(os.environ, self.settings)
        with written_to(sys.stderr), parted_streams():
            return asyncio.run(self.serve())

    async def serve(self) -> int:
        """Open, register, sync, clean up, work, and close it all again; return the exit status."""
        try:
            return await self._serve()
        finally:
            if self._stopping is not None:
                self._stopping.cancel()

    async def _serve(self) -> int:
        started, notify, until_idle, outside = monotonic(), self.facts.notify, self.until_idle, self.outside
        async with opened(self.application, self.settings, self._tasks, notify, os.environ) as replica:
            context, grace, begun = replica.context, self.settings.grace, self._limit_stopping
            requests = StopRequests(replica, grace, outside, context.notify, begun=begun, until_idle=until_idle)
            with requests.handled():
                async with surrounded(replica, self.settings, outside.earlier_holder), self._observed(replica):
                    triggered = await self._prepare(replica)
                    if not requests.stopping:
                        outside.link.ready()
                        outside.manager.ready(f'ready to claim runs of "{self.application.name}"')
                    requests.joined()
                    await self._work(replica)
                    if until_idle and not requests.stopping:
                        of, trusts = self.application.name, replica.planner.trusts
                        await prune_at_the_end(context.database, context.client, of, context.notify, trusts)
                    failed = await self._any_failed(replica, triggered)
        notify(ReplicaEnded(context.client.label, monotonic() - started, replica.runs.tally))
        if requests.starts_anew:
            outside.to_start_anew = context.client.holder
        return (FAILED if until_idle and failed else 0) if requests.signal is None else SIGNAL_BASE + requests.signal

    @asynccontextmanager
    async def _observed(self, replica: Replica) -> AsyncIterator[None]:
        """Feed the watchdog, and answer over HTTP, during the block, as far as they are asked for."""
        readiness = Readiness(replica)
        async with beside(self.outside.manager.watch(readiness.is_alive)):
            if self.web is None:
                yield
                return
            from .web_service import web_server  # noqa: PLC0415 - a web server takes memory, also of who wants none

            async with web_server(
                replica, readiness, self.web, settings=self.settings, facts=self.facts, link=self.outside.link
            ):
                yield

    async def _prepare(self, replica: Replica) -> list[int]:
        """Settle what a crash left (rule 18), bring the definitions, and trigger `now`."""
        name, database = self.application.name, replica.context.database
        await replica.clean_up()
        rules = await replica.join(take_over=self.take_over, guarded=self.guarded)
        if rules is False and self.until_idle:
            raise DaemonError(
                f'these definitions of "{name}" are superseded by newer ones, whose replicas are running; run those, or '
                "make these active with --take-over"
            )
        if self.until_idle and (higher := await database.read(replica.required.look)) is not None:
            raise DaemonError(
                f'revision {self.application.revision} of "{name}" runs nothing because a replica of revision {higher} '
                "is ready and require_revision is set; run that one"
            )
        if not self.now or rules is None:
            return []
        return await database.write(lambda connection: trigger_now(connection, name, self.now))

    async def _work(self, replica: Replica) -> None:
        """Run the loop; end the process at once if work cannot be stopped (rule 9)."""
        async with beside(self._end_on_failure(replica)):
            try:
                await replica.run(until_idle=self.until_idle)
            finally:
                if replica.runs.failure is not None:
                    self._end_process(f"{replica.runs.failure}: exiting")

    async def _end_on_failure(self, replica: Replica) -> None:
        await replica.runs.failed.wait()
        self._end_process(f"{replica.runs.failure}: exiting")

    def _limit_stopping(self) -> None:
        """End the process if stopping takes too long, so that no supervisor has to kill it (rule 19)."""
        if self._stopping is None:
            longest = self.settings.longest_stop
            late = f"stopping took longer than {longest:g}s: exiting; its leases will expire"
            self._stopping = threading.Timer(longest, self._end_process, [late])
            self._stopping.daemon = True
            try:
                self._stopping.start()
            except RuntimeError:  # the system has no thread left
                asyncio.get_running_loop().call_later(longest, self._end_process, late)

    def _end_process(self, why: str) -> None:
        self.facts.notify(Note(why, is_warning=True))
        self.facts.flush(_LAST_WORDS)
        flush_logs()
        os._exit(FAILED)

    async def _any_failed(self, replica: Replica, triggered: Sequence[int]) -> bool:
        """Return whether a run failed here, or a triggered run elsewhere, which is reported too."""
        context, failed = replica.context, bool(replica.runs.tally["failed"] or replica.runs.set_aside)
        for run_id in sorted(set(triggered).difference(replica.runs.executed)):
            row = await context.database.read(partial(statements.run.read, run_id=run_id))
            if row is not None:
                called = context.rows.name(row.schedule)
                context.notify(Note(f'run {run_id} of "{called}" was executed by another replica: {row.state}'))
                failed = failed or row.state == "failed"
        return failed
