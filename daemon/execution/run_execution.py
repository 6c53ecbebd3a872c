"""The execution of a run: its jobs in order, recorded under the run's grant (rules 14 to 16); and what others ask of
the runs at work in a replica, which it learns from the database.
"""

import asyncio
import json
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import InitVar, asdict, dataclass, field
from functools import partial
from time import monotonic
from typing import assert_never

from lease.client import Lease
from lease.durations import format_duration
from lease.errors import StoreUnavailable

from ..definitions.schedule import Job, Schedule
from ..jobs.reports import Outcome
from ..jobs.room import Room, SetAside
from ..states import RunOutcome
from ..store import statements
from ..telemetry.facts import Note, RunCancelled, RunEnded, RunStarted
from .attempt import JobExecution, JobSeen, Limits, WorkOutlivesLease, run_is_over
from .claim import ClaimedRun
from .context import ReplicaContext
from .held_run import HeldRun
from .next_step import FinishRun, HandBack, LetGo, NextJob, Resumption, RetryLater, Step, after_job, before_jobs
from .writes.transactions import EndedJob, EndRun

Rest = Sequence[tuple[int, Job]]


@dataclass(frozen=True, slots=True)
class EndOfRun:
    outcome: RunOutcome
    reason: str | None = None


@dataclass(eq=False, repr=False)
class RunExecution:
    """A claimed run at work in this replica."""

    context: ReplicaContext
    schedule: Schedule
    claimed: ClaimedRun
    lease: InitVar[Lease]
    set_aside: SetAside
    room: Room
    job: JobExecution | None = field(default=None, init=False)
    """Its latest job; None before the first."""
    _attempted: tuple[int, float] | None = field(default=None, init=False)
    """The job run of the latest attempt, and when its work ended."""

    def __post_init__(self, lease: Lease) -> None:
        self.held = HeldRun(self.context, self.claimed, lease)
        has_child = any(job.isolation in {"process", "command"} for job in self.schedule.jobs)
        self._trust = self.context.trust.take(lease.trusted_until) if has_child else None
        self._resumption = Resumption(self.schedule, self.claimed.jobs)
        self._before = self._resumption.before()
        self._began = monotonic()
        if self._trust is not None:
            lease.watch(self._trust.extend)

    def cancel(self, by: str, why: str | None) -> None:
        """End the current job and then the run, which ``by`` marked as cancelled; once is enough."""
        if not self.held.cancelled:
            self.context.notify(RunCancelled(self.held.subject, by, why))
            self.held.cancel()

    async def seen(self) -> JobSeen | None:
        """Return what its job does now; None between two jobs."""
        secrets = [str(value) for name, value in self.claimed.params.items() if name in self.schedule.secrets]
        return await self.job.seen(secrets) if self.job is not None else None

    async def execute(self) -> RunOutcome:
        """Run the jobs that are not done, in order, and return the outcome of the run."""
        of, notify = self.claimed, self.context.notify
        waited = None if of.attempt > 1 else of.waited
        notify(RunStarted(self.held.subject, waited, of.traceparent, of.attempt, of.cause, of.scheduled_for))
        try:
            end = await self._run_jobs()
        finally:
            self._close_page()
        if end.outcome == "lost" and self._attempted is not None:
            await self.held.note_loss(*self._attempted)
        notify(RunEnded(self.held.subject, end.outcome, end.reason, monotonic() - self._began))
        return end.outcome

    async def _run_jobs(self) -> EndOfRun:
        rest = self._resumption.remaining()
        step: Step = before_jobs(self._before, more=bool(rest), on_failure=self.schedule.on_failure)
        ended: EndedJob | None = None
        while isinstance(step, NextJob):
            if self.held.must_stop.done():
                return await self._end(HandBack(), None, [])
            if (left := self._run_left()) is not None and left <= 0:
                return await self._end(FinishRun("failed", run_is_over(self.schedule.run_timeout or 0.0)), None, rest)
            (position, job), *rest = rest
            try:
                ended, outcome = await self._attempt(position, job)
            except WorkOutlivesLease as error:
                if error.outcome is not None and self.job is not None and self.job.id is not None:
                    step = self._next_step(job, error.outcome, more=bool(rest))
                    # For the replica that settles this run once this process has ended (rule 25).
                    await self.held.leave_word(self._written(step, EndedJob(self.job.id, error.outcome), rest))
                raise
            step = self._next_step(job, outcome, more=bool(rest))
            if isinstance(step, NextJob):
                if ended is None or not await self.held.finish_job(ended):
                    return self._lost()
                self._attempted = None
                if outcome.state == "failed":
                    self._before = self._before.and_job(job.name)
        return await self._end(step, ended, rest)

    async def _attempt(self, position: int, job: Job) -> tuple[EndedJob | None, Outcome]:
        """Make the next attempt of a job; None and a loss if the run is not ours."""
        number = self._resumption.of(job.name).next_attempt
        limits = Limits(job.timeout, self.schedule.stall_after, self.schedule.run_timeout, self._run_left())
        self.job = JobExecution(self.held, job, position, number, self._trust, self.room, limits)
        job_run_id, outcome = await self.job.execute()
        self._attempted = None if job_run_id is None else (job_run_id, self.held.work_ended(job))
        if job.isolation == "process":  # it has loaded FILE; noted before this run can be claimed again (rule 22)
            if outcome.state == "not run":
                self.set_aside.put(self.schedule.name)
            elif outcome.state == "succeeded":
                self.set_aside.take_back(self.schedule.name)
        return None if job_run_id is None else EndedJob(job_run_id, outcome), outcome

    def _next_step(self, job: Job, outcome: Outcome, *, more: bool) -> Step:
        return after_job(
            outcome,
            job,
            failures=self._resumption.of(job.name).failures,
            more=more,
            before=self._before,
            on_failure=self.schedule.on_failure,
            chance=random.random(),  # noqa: S311 - it only spreads retries
            run_left=self._run_left(),
        )

    def _run_left(self) -> float | None:
        """Return the seconds that are left of `run_timeout`, which counts from the first start of the run."""
        if self.schedule.run_timeout is None:
            return None
        return self.schedule.run_timeout - self.claimed.started_ago - (monotonic() - self._began)

    async def _end(self, step: RetryLater | FinishRun | HandBack | LetGo, job: EndedJob | None, rest: Rest) -> EndOfRun:
        """Carry out the decision: one transaction for job run, run and lease (rule 15).

        No job is at work any more. The page is given back first, since the run that takes this one's place may be
        claimed in the same transaction, and start before this one has heard of it, or although it was passed over.
        """
        self._close_page()
        if isinstance(step, LetGo):
            await self.held.let_go(job=job)
            return self._lost()
        end = self._written(step, job, rest)
        done = await self.held.end(end)
        if done is None:
            return self._lost()
        if done.cancelled is not None:  # it was marked (rule 23)
            return EndOfRun("cancelled", done.cancelled)
        if isinstance(step, RetryLater):
            return EndOfRun("pending", f"{step.reason}; retry in {format_duration(step.wait)}")
        return EndOfRun(step.state if isinstance(step, FinishRun) else "pending", step.reason)

    def _written(self, step: Step, job: EndedJob | None, rest: Rest) -> EndRun:
        """Return what is written of the run and of its last job at this step."""
        end = partial(EndRun, self.claimed, job=job, targets=self.context.rows[self.claimed.schedule].targets)
        match step:
            case FinishRun(state, reason):
                return end(state, reason, not_started=[(job.name, position) for position, job in rest])
            case RetryLater(wait):
                return end("pending", wait=wait)
            case HandBack(reason):
                return end("pending", reason)
            case NextJob() | LetGo():
                return end("pending")
            case _:
                assert_never(step)

    def _close_page(self) -> None:
        if self._trust is not None:
            self._trust.close()

    def _lost(self) -> EndOfRun:
        return EndOfRun("lost", self.held.loss_cause())


# What others ask of it: to cancel it (rule 23), or for a look at it (`leased stack`)


@dataclass(eq=False)
class CancelWatch:
    """The watch, which runs until it is cancelled, also while the replica drains.

    It asks as often as leases are renewed, and when it is told that one was marked, in one query by the keys of the
    runs ``at_work``; it cancels those that are marked, and looks at those that somebody asks about, in a task for each,
    for which no job waits. ``execution`` returns that of a run, None if it has ended.
    """

    context: ReplicaContext
    at_work: Callable[[], Collection[int]]
    execution: Callable[[int], RunExecution | None]
    _told: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _looks: dict[int, asyncio.Task[None]] = field(default_factory=dict, init=False)

    def wake(self) -> None:
        self._told.set()

    async def watch(self) -> None:
        """Ask every `renew_every` seconds; ask nothing while no run is at work."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.context.client.timing.renew_every):
                    await self._told.wait()
            self._told.clear()
            try:
                await self.look()
            except StoreUnavailable:  # asked again with the next renewal, or the lease is lost
                continue
            except Exception as error:  # noqa: BLE001 - without the watch, no cancel would be heard any more
                self.context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))

    async def look(self) -> None:
        ids = list(self.at_work())
        if not ids:
            return
        for row in await self.context.database.read(lambda c: statements.run.find_told(c, ids)):
            execution = self.execution(row.id)
            if execution is not None and row.cancelled_at is not None:
                execution.cancel(row.cancelled_by, row.cancelled_why)
            if execution is not None and row.look_asked_by is not None and row.id not in self._looks:
                self.context.notify(Note(f"{row.look_asked_by} asked for the stack of run {row.id}"))
                self._looks[row.id] = asyncio.create_task(self._answer(row.id, execution))

    async def _answer(self, run_id: int, execution: RunExecution) -> None:
        try:
            seen = await execution.seen()
            text = json.dumps(None if seen is None else asdict(seen))
            grant = execution.claimed.grant
            await self.context.database.write(lambda c: statements.run.answer_look(c, run_id, grant, text))
        except StoreUnavailable:  # whoever asked hears nothing, and the next look is asked for again
            pass
        except Exception as error:  # noqa: BLE001 - a look must not harm what it looks at
            self.context.notify(Note(f"internal error in leased; runs continue: {error!r}", is_warning=True))
        finally:
            del self._looks[run_id]
