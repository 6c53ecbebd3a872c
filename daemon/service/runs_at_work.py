"""The runs at work in a replica, from their claim on, each in a task of its own, and the outcomes of earlier ones."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from lease.client import Lease
from lease.errors import LeaseError

from ..definitions.application import Known
from ..definitions.schedule import Schedule
from ..execution.attempt import JobExecution, WorkOutlivesLease
from ..execution.claim import ClaimedRun, claim
from ..execution.context import ReplicaContext
from ..execution.run_execution import RunExecution
from ..execution.writes.batcher import MOST
from ..jobs.output import Transcript
from ..jobs.reports import Progress
from ..jobs.room import Room, SetAside
from ..recovery import registry
from ..recovery.settle import settle_dead
from ..scheduling.deploys.rollout import RequiredRevision
from ..states import RunOutcome
from ..telemetry.facts import Note, RunEnded
from .waking.idle_wait import Agenda, RoomLeft, read_agenda

MOST_REMEMBERED = 10_000


class RunsAtWork:
    """Claims runs while it ``may_claim``, starts them, stops them, and keeps their outcomes; calls ``changed`` when one has
    ended.
    """

    def __init__(
        self,
        context: ReplicaContext,
        places: int,
        required: RequiredRevision,
        *,
        changed: Callable[[], None],
        may_claim: Callable[[], bool],
    ) -> None:
        self.executed: list[int] = []
        """The ids of the latest runs, first the one that ended first."""
        self.tally: Counter[RunOutcome] = Counter()
        """How many runs ended how."""
        self.failure: BaseException | None = None
        """Why this process must end: work that cannot be stopped outlives its lease (rule 9)."""
        self.failed = asyncio.Event()
        self.lost = 0
        """The number of runs that were lost with their leases."""
        self.refused = 0
        """The number of writes that changed no row because the grant had ended."""
        self.set_aside = SetAside()
        self._context = context
        self.known = Known(context.application.run_digests, context.application.queues)
        self._places = places
        self._rooms = Room(places), Room(places)
        """For runs that are tasks of this process, and for those with children."""
        self._redefine()
        context.rows.changed.append(self._redefine)
        self._changed, self._may_claim, self._required = changed, may_claim, required
        self._executions: dict[asyncio.Task[None], RunExecution] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._executions)

    @property
    def free_places(self) -> int:
        """The number of further runs that may be started, of those that are `claimable`."""
        return min([self._places - len(self._executions), *[room.left for room in self._rooms if room.left > 0]])

    def claimable(self) -> Known:
        """Return the definitions whose runs may be claimed now."""
        if self._required.higher is not None:
            return self.known.but(self.known.schedules)
        full = [room for room in self._rooms if room.left <= 0]
        if not full or self._places <= len(self._executions):
            return self.known.but(self.set_aside.names())
        without_room = {name for name, schedule in self._context.rows.items() if self._room_for(schedule) in full}
        return self.known.but(self.set_aside.names() | without_room)

    def _redefine(self) -> None:
        """Claim runs of renamed schedules by the names of their rows."""
        application = self._context.rows.application
        self.known.redefine(application.run_digests, application.queues)
        self._first_jobs = {one.name: one.jobs[0].name for one in application.schedules if one.jobs}

    def room(self) -> RoomLeft:
        """Return whether another run may be claimed now, or when it may be."""
        waits = (self.set_aside, *self._rooms)
        until = min((seconds for wait in waits if (seconds := wait.until_next()) is not None), default=None)
        return RoomLeft(self._may_claim() and self.free_places > 0, until)

    def look(self) -> Callable[[Connection], Agenda]:
        """Return the query for what there is to do."""
        name, holder = self._context.application.name, self._context.client.holder
        return partial(read_agenda, application=name, known=self.claimable(), holder=holder)

    def _room_for(self, schedule: Schedule) -> Room:
        """Return the room for runs of a schedule: tasks need neither processes nor descriptors."""
        return self._rooms[0 if {job.isolation for job in schedule.jobs} <= {"task"} else 1]

    @property
    def claimed(self) -> list[ClaimedRun]:
        return [execution.claimed for execution in self._executions.values()]

    def ids(self) -> list[int]:
        return [run.run_id for run in self.claimed]

    async def fill(self) -> bool:
        """Claim as many runs as there are places; return whether all were filled: there may be more then."""
        if self.free_places <= 0 and not self._context.batcher.ending:
            return True
        client, application = self._context.client, self._context.application.name
        known, asked = self.claimable(), 0
        higher = self._required.higher

        def places(ending: int) -> int:
            nonlocal asked
            # Which room they free is not known here.
            freed = 0 if any(room.is_short for room in self._rooms) else ending
            asked = min(MOST, self.free_places + freed) if self._may_claim() else 0
            return asked

        def transaction(connection: Connection, limit: int) -> list[ClaimedRun]:
            nonlocal higher
            higher = self._required.look(connection)
            if higher is not None:
                return []
            who = (client.holder, client.label, client.timing.ttl)
            return claim(connection, application, known, *who, limit, self._first_jobs) if limit > 0 else []

        async with client.acquiring() as acquisition:
            claimed = await self._context.batcher.claim(transaction, places)
            leases = await acquisition.adopt([run.grant for run in claimed])
        self._required.take(higher)
        for run, lease in zip(claimed, leases, strict=True):
            self.start(run, lease)
        return asked == len(claimed)

    def start(self, claimed: ClaimedRun, lease: Lease) -> None:
        """Execute a run; after `stop`, only hand it back."""
        schedule = self._context.rows[claimed.schedule]
        room = self._room_for(schedule)
        execution = RunExecution(self._context, schedule, claimed, lease, self.set_aside, room)
        self._executions[asyncio.create_task(self._execute(execution, lease))] = execution
        room.taken += 1
        if self._stopping:
            execution.held.stop()

    def stop(self) -> None:
        """Stop all jobs, also of runs that start later, and hand their runs back."""
        self._stopping = True
        for execution in self._executions.values():
            execution.held.stop()

    def execution(self, run_id: int) -> RunExecution | None:
        return next((one for one in self._executions.values() if one.claimed.run_id == run_id), None)

    async def one_ended(self) -> None:
        """Wait until one of the runs at work has ended, if there are any."""
        if self._executions:
            await asyncio.wait(self._executions, return_when=asyncio.FIRST_COMPLETED)

    def take_progress(self) -> dict[int, Progress]:
        """Return the progress since the last call, by job run id."""
        return {number: progress for job in self._jobs() for number, progress in job.take_progress().items()}

    def transcripts(self) -> dict[int, Transcript]:
        """Return what the jobs at work print, by job run id."""
        return {number: transcript for job in self._jobs() for number, transcript in job.transcripts().items()}

    def _jobs(self) -> list[JobExecution]:
        return [execution.job for execution in self._executions.values() if execution.job is not None]

    async def fail(self, error: WorkOutlivesLease) -> None:
        """Signal that this process must end. It is recorded as stopped first, if the error leaves time for that: none
        of the runs at work here uses up an attempt by it (rule 25).
        """
        if self.failure is not None:
            return
        client, database = self._context.client, self._context.database
        with suppress(LeaseError, TimeoutError):
            async with asyncio.timeout(client.timing.kill_time if error.patience is None else error.patience):
                await database.write(lambda connection: registry.mark_stopped(connection, client.holder))
        self.failure = error
        self.failed.set()
        self._changed()

    async def fail_if_any(self) -> None:
        if self._executions and self.failure is None:
            names = ", ".join(sorted(f'"{self._context.rows.name(run.schedule)}"' for run in self.claimed))
            await self.fail(WorkOutlivesLease(f"runs of {names} did not stop"))

    async def _execute(self, execution: RunExecution, lease: Lease) -> None:
        run_id, is_over = execution.claimed.run_id, True
        try:
            outcome = await execution.execute()
            self._remember(run_id, outcome)
            self.lost += outcome == "lost"
        except WorkOutlivesLease as error:
            is_over = False  # its lease is held until the process has ended
            await self.fail(error)
        except Exception as error:  # noqa: BLE001 - a bug in leased must not keep the lease alive for ever
            self._context.notify(Note(f"internal error in leased ended run {run_id}: {error!r}", is_warning=True))
            await self._abandon(lease)
            self._remember(run_id, "failed")
            self._context.notify(RunEnded(execution.held.subject, "failed", "internal error in leased"))
        finally:
            self.refused += execution.held.refused
            if is_over and not execution.held.given_back:
                with suppress(LeaseError):
                    await lease.release()
            self._executions.pop(asyncio.current_task(), None)  # type: ignore[arg-type]
            execution.room.taken -= 1
            self._changed()

    def _remember(self, run_id: int, outcome: RunOutcome) -> None:
        self.tally[outcome] += 1
        self.executed.append(run_id)
        del self.executed[:-MOST_REMEMBERED]

    async def _abandon(self, lease: Lease) -> None:
        """Settle an attempt that a bug in leased ended as abandoned, or it may repeat for ever."""
        try:
            async with lease.ending():
                await self._context.database.write(lambda c: settle_dead(c, [lease.grant], by_bug=True))
        except Exception as error:  # noqa: BLE001 - it is settled later, as an attempt that lost its lease
            said = f"the attempt under {lease.grant.name} could not be settled: {error!r}"
            self._context.notify(Note(said, is_warning=True))
