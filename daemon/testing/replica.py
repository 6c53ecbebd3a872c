"""A replica that a test moves tick by tick."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, Self, assert_never

import lease.statements
from lease.client import LeaseClient
from lease.timing import LeaseTiming

from ..definitions.application import Application
from ..definitions.schedule import Job
from ..definitions.sources.load import load
from ..execution.context import ReplicaContext
from ..jobs.processes.trust_page import TrustPages
from ..jobs.run import AsyncRun, run_of_function
from ..jobs.task_thread import TaskThread
from ..operations.trigger import NoSuchSchedule, trigger
from ..own_thread import in_own_thread
from ..recovery import registry
from ..schedules import Schedules
from ..service.replica import Replica
from ..service.settings import Settings
from ..service.waking.idle_wait import Agenda
from ..store.views.history import RunDetail, read_run, read_runs
from ..telemetry.facts import Fact, LeaseChanged
from .store import ManualStore, Misuse

Definitions = Schedules | Application | str | Path
"""A `Schedules`, or FILE as on the command line: ``"shop.py"`` or ``"shop:schedules"``."""


def application_of(definitions: Definitions, *, in_children: bool) -> Application:
    """Return the application, with functions that run in this process unless ``in_children``."""
    match definitions:
        case Schedules():
            application = definitions.application(Path.cwd() / "schedules.py")
        case Application():
            application = definitions
        case str() | Path():
            application = load(definitions)
        case _:
            assert_never(definitions)
    if not in_children:
        return in_process(application)
    if not application.spec:
        raise Misuse(
            "a function runs in a child only if the child can load FILE: give FILE instead of the Schedules, "
            'as in ManualReplica(store, "shop.py", in_children=True)'
        )
    return application


def in_process(application: Application) -> Application:
    """Return the application with its functions as tasks; commands stay child processes."""
    schedules = [
        schedule.model_copy(update={"jobs": tuple(map(_in_process, schedule.jobs))})
        for schedule in application.schedules
    ]
    return replace(application, schedules=tuple(schedules))


def _in_process(job: Job) -> Job:
    if job.function is None or job.isolation != "process":
        return job
    in_a_task = {"isolation": "task", "function": _as_task(job.function), "env": {}, "cwd": None}
    return job.model_copy(update=in_a_task)


def _as_task(function: Callable[..., Any]) -> Callable[[AsyncRun], Awaitable[Any]]:
    is_async = inspect.iscoroutinefunction(function)

    @wraps(function)
    async def call(run: AsyncRun) -> Any:
        if is_async:
            return await function(run)
        blocking = run_of_function(run)  # in a thread it can hang, and the test still ends
        return await in_own_thread(lambda: function(blocking), f"leased-job-{blocking.schedule}")

    return call


TIMING = LeaseTiming("15s", renew_every="0.1s")
"""Renewed often, so that a loss is noticed at once."""
LIMIT = 30.0
"""Seconds of real time that an operation may take."""
_MOST_RUNS = 10_000
_INSTANT = 0.000_001


class ManualReplica:
    """A replica of an application on a `ManualStore`; ``async with`` syncs the definitions.

    ``schedules`` is a `Schedules`, or FILE as on the command line. Functions run in this process, or with
    ``in_children`` in child processes as usual. ``timing`` is that of its leases, which are renewed in real time.
    """

    def __init__(
        self,
        store: ManualStore,
        schedules: Definitions,
        *,
        concurrency: int = 10,
        timing: LeaseTiming = TIMING,
        in_children: bool = False,
    ) -> None:
        self.store = store
        self.application = application_of(schedules, in_children=in_children)
        self.facts: list[Fact] = []
        """All facts that it reported, in order."""
        self._settings = Settings(concurrency=concurrency, poll=1.0, grace=10.0, web=None)
        self._timing = timing
        self._replica: Replica | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            tasks = TaskThread(self.facts.append)
            stack.callback(tasks.stop)
            trust = TrustPages(self._settings.concurrency)
            stack.callback(trust.close)
            client = await stack.enter_async_context(
                LeaseClient(
                    self.store.url, timing=self._timing, on_event=lambda event: self.facts.append(LeaseChanged(event))
                )
            )
            entry = registry.entry_of(self.application, client.holder)
            await self.store.write(lambda connection: registry.register(connection, entry))
            stack.push_async_callback(self.store.write, lambda c: registry.mark_stopped(c, client.holder))
            context = ReplicaContext(self.application, self.store, client, tasks, trust, self.facts.append)
            self._replica = Replica(context, self._settings, entry)
            await self._replica.join()
            stack.push_async_callback(self.stop)
            stack.callback(setattr, self.store, "available", True)  # first, so that runs can be handed back
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()
        self._replica = None

    @property
    def context(self) -> ReplicaContext:
        """The context that its parts share."""
        return self.replica.context

    @property
    def replica(self) -> Replica:
        """The replica of `leased run` that this object moves."""
        if self._replica is None:
            raise Misuse(
                "this ManualReplica is not open: use it as `async with ManualReplica(store, schedules) as replica`"
            )
        return self._replica

    # Moving it

    async def tick(self) -> Agenda | None:
        """Settle, plan and claim once; return what is left to do, None while the database is away.

        Runs that it claims are started, and go on after it returns: `work` and `wait_for` wait for them.
        """
        agenda = await self.replica.tick()
        self._check()
        return agenda

    async def work(self, limit: float = LIMIT) -> list[RunDetail]:
        """Do all that can be done at the time of the store's clock; return the runs that it executed.

        Retries and later instants wait until the test moves the clock. Raises TimeoutError after ``limit`` seconds.
        """
        runs = self.replica.runs
        before = done = runs.tally.total()
        async with self._within(limit):
            while (agenda := await self.tick()) is not None:
                await self._until_ended()
                if runs.tally.total() == done and not (agenda.due and self.replica.planner.has_more):
                    break  # nothing was claimed: the rest is for later, or for another replica
                done = runs.tally.total()
        latest = runs.executed[len(runs.executed) - (done - before) :]
        return [await self.read(run_id) for run_id in dict.fromkeys(latest)]

    async def wait_for(self, run_id: int, limit: float = LIMIT) -> RunDetail:
        """Wait until this replica no longer executes a run (it is over, waits for a retry, or is lost); return it."""
        async with self._within(limit):
            await self._until_ended(run_id)
        return await self.read(run_id)

    async def advance_to_next_due(self) -> datetime:
        """Move the clock to the next moment at which something is due, and return it; then `work`.

        An instant or the end of a wait. If something is due already, the clock stays. Raises
        `Misuse` if nothing will ever be due.
        """
        agenda = await self._agenda()
        if not _something_due(agenda):
            moments = [until for until in (agenda.until_due, agenda.until_available) if until is not None]
            if not moments:
                raise Misuse(
                    f'nothing of "{self.application.name}" will be due: no schedule has a future time, and no run waits'
                )
            self.store.clock.advance(max(0.0, min(moments)))
            if not _something_due(await self._agenda()):
                self.store.clock.advance(_INSTANT)
        return self.store.clock.now

    async def lose_lease(self, run_id: int, limit: float = LIMIT) -> RunDetail:
        """Grant the lease of a run at work to another holder, wait for the work to end; return the run.

        This is what happens to a replica that is paused for longer than the ttl. The other holder
        does nothing and releases the lease: `work` then resumes the run under a higher token.
        """
        claimed = next((run for run in self.replica.runs.claimed if run.run_id == run_id), None)
        if claimed is None:
            raise Misuse(f"run {run_id} is not running here, so it has no lease to lose; start what is due with `tick`")
        taken = await self.store.take_over(claimed.grant.name)
        run = await self.wait_for(run_id, limit)
        await self.store.write(lambda connection: lease.statements.release(connection, taken))
        return run

    async def stop(self) -> None:
        """Stop the runs at work and hand them back, as after a second signal; claim no more."""
        self.replica.stop_at_once()
        await self.replica.finish()

    # What people do, and see

    async def trigger(self, name: str, params: Mapping[str, Any] | None = None) -> int:
        """Trigger a run of a schedule and return its id; `work` executes it."""
        application = self.application.name
        return await self.store.write(
            lambda connection: trigger(connection, application, name, requested_by="a test", params=params)
        )

    async def run_once(self, name: str, params: Mapping[str, Any] | None = None) -> RunDetail:
        """Trigger a run of a schedule, do all that can be done, and return the run."""
        run_id = await self.trigger(name, params)
        await self.work()
        return await self.read(run_id)

    async def runs(self, schedule: str | None = None) -> list[RunDetail]:
        """Return all runs so far, of one schedule or of all, the oldest first."""
        names = [known.name for known in self.application.schedules]
        if schedule is not None and schedule not in names:
            raise NoSuchSchedule(
                f'"{self.application.name}" has no schedule "{schedule}"; there are {", ".join(names)}'
            )
        lines = await self.store.read(lambda c: read_runs(c, limit=_MOST_RUNS, schedule=schedule))
        return [await self.read(line.run_id) for line in reversed(lines)]

    async def read(self, run_id: int) -> RunDetail:
        """Return a run with its attempts."""
        return await self.store.read(lambda connection: read_run(connection, run_id))

    async def _agenda(self) -> Agenda:
        return await self.store.read(self.replica.runs.look())

    async def _until_ended(self, run_id: int | None = None) -> None:
        """Wait until this run, or every run, has ended here."""
        runs = self.replica.runs
        while any(run_id in (None, run.run_id) for run in runs.claimed):
            await runs.one_ended()
        self._check()

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        """Limit the time of the block; the error names the runs that did not end in time."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            at_work = [f'run {run.run_id} of "{run.schedule}"' for run in self.replica.runs.claimed]
            said = f"; still running: {', '.join(at_work)}" if at_work else ""
            raise TimeoutError(f"not done within {seconds:g}s{said}") from None

    def _check(self) -> None:
        """Raise if `leased run` would end its process, because work outlives its lease (rule 9)."""
        if (failure := self.replica.runs.failure) is not None:
            raise RuntimeError(f"the replica would end here: {failure}") from failure


def _something_due(agenda: Agenda) -> bool:
    return agenda.due or agenda.available


def run_once(
    schedules: Definitions,
    name: str,
    *,
    at: str | datetime = "2026-01-01T00:00:00Z",
    params: Mapping[str, Any] | None = None,
) -> RunDetail:
    """Trigger a schedule at that time, run it at once, and return the run; not for async tests."""

    async def whole() -> RunDetail:
        async with ManualStore(at) as store, ManualReplica(store, schedules) as replica:
            return await replica.run_once(name, params)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    raise Misuse("run_once runs its own event loop: in an async test use a ManualReplica and its run_once")
