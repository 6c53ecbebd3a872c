"""A replica that a test moves tick by tick, and a run of one schedule."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from lease.client import LeaseClient
from lease.durations import Duration, parse_duration
from lease.timing import LeaseTiming

from ..definitions.model import Application
from ..definitions.sources.schedules import Schedules
from ..execution.context import ReplicaContext
from ..jobs.task_thread import TaskThread
from ..operations.trigger import trigger
from ..recovery import registry
from ..scheduling.sync import sync
from ..service.agenda import Agenda
from ..service.replica import Replica
from ..service.settings import Settings
from ..store.views.history import RunDetail, read_run, read_runs
from ..telemetry.facts import Fact, LeaseChanged
from .in_process import in_process
from .store import ManualStore

_MOST_RUNS = 10_000


class ManualReplica:
    """One replica of an application on a `ManualStore`; use it as ``async with``, which brings the definitions in.

    ``ttl`` is that of its leases, which are renewed in real time, as they are elsewhere.
    """

    def __init__(
        self,
        store: ManualStore,
        schedules: Schedules | Application,
        *,
        concurrency: int = 10,
        ttl: Duration = "15s",
        in_children: bool = False,
    ) -> None:
        application = (
            schedules.application(Path.cwd() / "schedules.py") if isinstance(schedules, Schedules) else schedules
        )
        self.store = store
        self.application = application if in_children else in_process(application)
        self.facts: list[Fact] = []
        """All that it reported, in order."""
        self._settings = Settings(concurrency=concurrency, poll=1.0, grace=10.0, web=None)
        self._timing = LeaseTiming(parse_duration(ttl))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            tasks = TaskThread()
            stack.callback(tasks.stop)
            client = await stack.enter_async_context(
                LeaseClient(self.store.url, timing=self._timing, on_event=lambda event: self._note(LeaseChanged(event)))
            )
            self.context = ReplicaContext(self.application, self.store, client, tasks, self._note)
            entry = registry.own_entry(client.holder, self.application.name)
            await self.store.write(lambda connection: registry.register(connection, entry))
            await self.store.write(lambda connection: sync(connection, self.application))
            self.replica = Replica(self.context, self._settings, entry)
            stack.push_async_callback(self.finish)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def tick(self) -> Agenda | None:
        """Look, settle, plan and claim once; return what is left to do, or None while the database is away.

        Runs that it claims are started, and go on after it returns: `work` waits for them.
        """
        return await self.replica.tick()

    async def work(self, limit: float = 30.0) -> list[RunDetail]:
        """Do all that can be done at the time that the store's clock shows; return the runs that were executed.

        Retries and later instants wait until the test moves the clock. Raises TimeoutError after ``limit`` seconds.
        """
        before = len(self.replica.runs.executed)
        async with asyncio.timeout(limit):
            while (agenda := await self.tick()) is not None:
                if await self._runs_ended():
                    continue
                if not agenda.available and not agenda.due:
                    break
        return [await self.read(run.run_id) for run in self.replica.runs.executed[before:]]

    async def trigger(self, name: str, params: Mapping[str, Any] | None = None) -> int:
        """Ask for a run of a schedule, beside those that are due, and return its id; `work` executes it."""
        application = self.application.name
        return await self.store.write(
            lambda connection: trigger(connection, application, name, requested_by="a test", params=params)
        )

    async def runs(self, schedule: str | None = None) -> list[RunDetail]:
        """Return all runs so far, of one schedule or of all, the first one first."""
        lines = await self.store.read(lambda c: read_runs(c, limit=_MOST_RUNS, schedule=schedule))
        return [await self.read(line.id) for line in reversed(lines)]

    async def read(self, run_id: int) -> RunDetail:
        """Return one run with its attempts."""
        return await self.store.read(lambda connection: read_run(connection, run_id))

    async def finish(self) -> None:
        """Stop the runs at work and hand them back, as a replica does that is told to stop at once."""
        self.replica.stop_at_once()
        await self.replica.finish()

    async def _runs_ended(self) -> bool:
        """Wait for the runs at work, if there are any; return whether there were."""
        waited = bool(self.replica.runs)
        while self.replica.runs:
            await self.replica.runs.one_ended()
        return waited

    def _note(self, fact: Fact) -> None:
        self.facts.append(fact)


def run_once(
    schedules: Schedules | Application,
    name: str,
    *,
    at: str | datetime = "2026-01-01T00:00:00Z",
    params: Mapping[str, Any] | None = None,
) -> RunDetail:
    """Run a schedule at once, as if it were asked for at that time, and return what became of it."""

    async def whole() -> RunDetail:
        async with ManualStore(at) as store, ManualReplica(store, schedules) as replica:
            run_id = await replica.trigger(name, params)
            await replica.work()
            return await replica.read(run_id)

    return asyncio.run(whole())
