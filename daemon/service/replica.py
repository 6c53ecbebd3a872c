"""One replica at work: sees what is due, claims it, runs it, and settles what others left.

The main loop is a tick: settle, plan, claim, rest. A tick that finds nothing costs one query. Nothing here is special to one replica: any
number of them do the same on one database, and leases and row locks keep them apart.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from lease.client import Lease
from lease.clock import boottime
from lease.errors import LeaseError, StoreUnavailable

from ..execution.attempt import WorkOutlivesLease
from ..execution.claim import ClaimedRun, claim
from ..execution.context import ReplicaContext
from ..execution.run_execution import RunExecution
from ..jobs.reports import Progress
from ..recovery import registry
from ..recovery.dead_replicas import settle_proven_dead, settle_stale
from ..recovery.settle import SettledRun, settle_dead
from ..scheduling.plan_due import PlanReport, plan_due
from ..scheduling.wall_clock import WallClock
from .agenda import Agenda, read_agenda
from .pulse import Pulse
from .settings import Settings

_STOP_LIMIT = 10.0
"""Seconds beyond kill_time that stopped runs may take to be handed back."""


@dataclass(frozen=True, slots=True)
class ExecutedRun:
    """A run that this replica has executed."""

    run_id: int
    state: str


class Replica:
    """Claims and executes the runs of one application."""

    def __init__(
        self,
        around: ReplicaContext,
        settings: Settings,
        entry: registry.ReplicaEntry,
        wall_clock: WallClock | None = None,
    ) -> None:
        self.ended: list[ExecutedRun] = []
        self.running = False
        self.draining = False
        self._around = around
        self._settings = settings
        self._schedules = {schedule.name: schedule for schedule in around.application.schedules}
        self._executions: dict[asyncio.Task[None], RunExecution] = {}
        self._wall_clock = wall_clock
        """Where the database has no clock of its own."""
        self._told: set[str] = set()
        self._wake = asyncio.Event()
        self._at_once = False
        self._came_round = monotonic()
        self._house = Pulse(around, entry, self._take_progress, lambda: self.draining)
        self.unreachable_since: float | None = None
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self._lost = self._refused = 0

    # What others tell it

    def drain(self) -> None:
        """Claim nothing more, and let running jobs finish (rule 19)."""
        self.draining = True
        self._wake.set()

    def stop_at_once(self) -> None:
        """Let nothing finish: stop the jobs and hand their runs back."""
        self._at_once = True
        self.drain()
        for execution in self._executions.values():
            execution.stop()

    def age(self) -> float:
        """Return the seconds since the loop last came round."""
        return monotonic() - self._came_round

    def counts(self) -> dict[str, int]:
        """Return how many runs were lost with their leases, and how many writes were refused because the grant had ended."""
        return {"runs_lost": self._lost, "writes_refused": self._refused}

    # Its life

    async def run(self, *, until_idle: bool) -> None:
        """Work until told to drain, or until nothing is due, running or waiting; then stop what is left (rule 19)."""
        self.running = True
        keeping = asyncio.create_task(self._house.go_on())
        try:
            while not self.draining:
                look = await self._tick()
                if until_idle and look is not None and look.idle and not self._executions:
                    break
                await self._rest(look)
            await self._finish()
            self._sum_up()
        except BaseException:
            await self._stop_all()  # before the caller ends the heartbeat, and releases (rule 19)
            raise
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _tick(self) -> Agenda | None:
        """Do what is to be done now, and return what is left; None when the database is away."""
        self._came_round = monotonic()
        self._wake.clear()
        try:
            look = await self._look()
            if (look.others_running or look.stranded) and await self._settle(look):
                look = await self._look()
            if look.due and self._trusts(look.database_time):
                await self._plan()
                look = await self._look()
            if look.available and self._free_places() > 0 and not self.draining:
                await self._claim()
                look = await self._look()
        except StoreUnavailable as error:
            self._away(str(error))
            return None
        self._back()
        return look

    async def _look(self) -> Agenda:
        application, known, holder = self._around.application.name, tuple(self._schedules), self._around.client.holder
        return await self._around.database.read(lambda connection: read_agenda(connection, application, known, holder))

    async def _settle(self, look: Agenda) -> list[SettledRun]:
        application, database = self._around.application.name, self._around.database
        settled = await settle_proven_dead(database, application, self._around.client.holder)
        if look.stranded:
            await self._house.tell_seen()  # so that losing a lease is told apart from dying (rule 16)
            settled += await settle_stale(database, application)
        for one in settled:
            self._around.watcher.note(
                f'run {one.run_id} of "{one.schedule}" was taken from a replica that is gone (token {one.grant.token}): {one.outcome}'
            )
        return settled

    async def _plan(self) -> None:
        more = True
        while more and not self.draining:
            planned = await self._around.database.write(
                lambda connection: plan_due(
                    connection, self._around.application.name, self._schedules, trusts=self._trusts
                )
            )
            more = planned.more
            self._tell_faults(planned)

    def _trusts(self, database_time: datetime) -> bool:
        """Tell whether to plan by this time; where it is the machine's own, a jump of it holds planning up."""
        if self._wall_clock is None:
            return True
        judgement = self._wall_clock.judge(database_time.timestamp(), boottime())
        if judgement.news is not None:
            self._around.watcher.note(judgement.news)
        return judgement.trusted

    def _tell_faults(self, planned: PlanReport) -> None:
        """Say, once, what planning could not do; what it did is in the table of runs."""
        faults = set(planned.unreadable.values())
        if planned.doubled:
            faults.add(
                f"{planned.doubled} instants had a run already: two planners were at one schedule, which is a defect"
            )
        for fault in faults - self._told:
            self._around.watcher.note(fault)
        self._told |= faults

    async def _claim(self) -> None:
        """Claim in one transaction as many runs as there are places; trust counts from before it (rules 2 and 4)."""
        client, application = self._around.client, self._around.application.name
        places, ttl = self._free_places(), client.timing.ttl
        async with client.acquiring() as acquisition:
            claimed = await self._around.database.write(
                lambda connection: claim(
                    connection, application, tuple(self._schedules), client.holder, client.label, ttl, places
                )
            )
            leases = await acquisition.adopt([one.grant for one in claimed])
        for one, held in zip(claimed, leases, strict=True):
            self._start(one, held)

    def _take_progress(self) -> dict[int, Progress]:
        """Return how far jobs have come since it was last asked, by their job runs."""
        return {id_: told for execution in self._executions.values() for id_, told in execution.take_progress().items()}

    def _free_places(self) -> int:
        return self._settings.concurrency - len(self._executions)

    def _start(self, claimed: ClaimedRun, held: Lease) -> None:
        execution = RunExecution(self._around, self._schedules[claimed.schedule], claimed, held)
        task = asyncio.create_task(self._execute(execution, held))
        self._executions[task] = execution
        if self._at_once:
            execution.stop()

    async def _execute(self, execution: RunExecution, held: Lease) -> None:
        try:
            state = await execution.execute()
            self.ended.append(ExecutedRun(execution.claimed.run_id, state))
            self._lost += state == "lost"
        except WorkOutlivesLease as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a defect of ours must not keep the lease alive for ever
            self._around.watcher.note(f"run {execution.claimed.run_id} ended by an error of leased itself: {error!r}")
            await self._abandon(held)
            self.ended.append(ExecutedRun(execution.claimed.run_id, "failed"))
        finally:
            self._refused += execution.refused
            with suppress(LeaseError):
                await held.release()
            self._executions.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            self._wake.set()

    async def _abandon(self, held: Lease) -> None:
        """Count an attempt that an error of ours ended as an abandoned one, else it comes again and again without end."""
        try:
            async with held.ending():
                await self._around.database.write(lambda connection: settle_dead(connection, [held.grant]))
        except Exception as error:  # noqa: BLE001 - then it is settled as one that lost its lease
            self._around.watcher.note(f"its attempt could not be settled: {error!r}")

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        self.failed.set()
        self.drain()

    async def _rest(self, look: Agenda | None) -> None:
        """Sleep until something is due, at most for one poll, or until a run has ended."""
        poll, again = self._settings.poll, self._around.client.timing.retry_wait
        if look is None:
            seconds = again
        else:
            known = [look.until_due, look.until_stale]
            if self._free_places() > 0:
                known.append(look.until_available)
            # What is overdue still, somebody else is at, or has locked.
            seconds = min([poll, *(until if until > 0 else again for until in known if until is not None)])
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _finish(self) -> None:
        """First no more claims, then let jobs finish, then stop them; the heartbeat goes on until the caller ends it."""
        if self._executions and not self._at_once:
            await self._wait_for_runs(self._settings.grace)
        await self._stop_all()

    async def _stop_all(self) -> None:
        for execution in self._executions.values():
            execution.stop()
        await self._wait_for_runs(self._around.client.timing.kill_time + _STOP_LIMIT)
        if self._executions and self.failure is None:
            names = ", ".join(sorted(f'"{execution.claimed.schedule}"' for execution in self._executions.values()))
            self._fail(
                WorkOutlivesLease(f"runs of {names} did not end: this process ends now, and their leases by themselves")
            )

    async def _wait_for_runs(self, seconds: float) -> None:
        deadline = monotonic() + seconds
        while self._executions and (left := deadline - monotonic()) > 0 and self.failure is None:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, self._settings.poll)):
                    await self._wake.wait()
            self._came_round = monotonic()
            if self._at_once:
                deadline = min(deadline, monotonic() + self._around.client.timing.kill_time + _STOP_LIMIT)

    def _sum_up(self) -> None:
        if self._lost or self._refused:
            self._around.watcher.note(
                f"runs lost with their leases: {self._lost}; writes refused because the grant had ended: {self._refused}"
            )

    def _away(self, error: str) -> None:
        if self.unreachable_since is None:
            self.unreachable_since = monotonic()
            self._around.watcher.note(f"{error}; trying again")

    def _back(self) -> None:
        if self.unreachable_since is not None:
            seconds = monotonic() - self.unreachable_since
            self._around.watcher.note(f"the database is back after {seconds:.1f}s")
            self.unreachable_since = None
