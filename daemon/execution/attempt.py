"""One attempt of a job, recorded before it starts, ended at a limit or with its lease (rules 9, 16, 18, 20 and 25)."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, assert_never

from lease.clock import boottime
from lease.durations import format_duration

from ..definitions.schedule import Job
from ..definitions.values.work import Isolation
from ..jobs.brief import Brief, idempotency_key
from ..jobs.output import Output, Transcript
from ..jobs.processes.spawn import ChildNotStarted
from ..jobs.processes.trust_page import TrustPage
from ..jobs.reports import Outcome, Progress
from ..jobs.room import Room, Shortage, shortage
from ..jobs.runners import Attempt, ChildAttempt, TaskAttempt, ThreadAttempt
from ..jobs.stacks import SeenWork
from ..telemetry.facts import JobEnded, JobPrinted, JobProgressed, JobStarted, JobSubject
from .held_run import HeldRun


class WorkOutlivesLease(BaseException):
    """A task outlived its lease's ttl: only the end of the process ends it (rule 9). Whoever ends it says so.

    ``outcome`` is that of its attempt, if its own timeout was over: it is no fault of the process.
    ``patience`` is how long the end of the process may still take, in seconds; by default `kill_time`.
    """

    def __init__(self, sentence: str, outcome: Outcome | None = None, patience: float | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.patience = patience


@dataclass(frozen=True, slots=True)
class JobSeen:
    job: str
    attempt: int
    isolation: Isolation
    seen: SeenWork


# The limits of its time, and which of them ends it: its job's, its schedule's for a silent job, and what is left of its
# run's


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit that comes next, in ``left`` seconds, and what an attempt has done that it ends."""

    left: float
    error: str
    ends_run: bool = False
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an attempt, in seconds; None where there is none."""

    timeout: float | None = None
    stall_after: float | None = None
    run_timeout: float | None = None
    run_left: float | None = None
    """What remained of `run_timeout` when the attempt began."""

    def next(self, worked: float, quiet: float) -> Limit | None:
        """Return the limit that comes first, after so many seconds of work, and so many without progress."""
        found = []
        if self.timeout is not None:
            error = f"the job exceeded its timeout of {format_duration(self.timeout)}"
            found.append(Limit(self.timeout - worked, error))
        if self.stall_after is not None:
            error = f"the job hung: it showed no progress for {format_duration(self.stall_after)} (stall_after)"
            found.append(Limit(self.stall_after - quiet, error, stalled=True))
        if self.run_timeout is not None and self.run_left is not None:
            found.append(Limit(self.run_left - worked, run_is_over(self.run_timeout), ends_run=True))
        return min(found, key=lambda limit: limit.left, default=None)


def run_is_over(run_timeout: float) -> str:
    """Return why a run has failed whose time is over."""
    return f"the run exceeded its run_timeout of {format_duration(run_timeout)}"


def over_limit(outcome: Outcome, limit: Limit) -> Outcome:
    """Return the outcome of an attempt that was ended at a limit: failed, unless done, or lost with its lease before
    (a function that was not called had no time to exceed).
    """
    if outcome.state in {"succeeded", "lost"}:
        return outcome
    return replace(outcome, state="failed", error=limit.error, ends_run=limit.ends_run, stalled=limit.stalled)


def own_time(attempt: Attempt) -> float:
    """Return the time of an attempt in seconds: it stands still while other jobs hold it up (rule 25)."""
    return monotonic() - attempt.lost_to_others()


# The attempt


@dataclass(eq=False, repr=False)
class JobExecution:
    """Attempt ``number`` of a job, from 1."""

    held: HeldRun
    job: Job
    position: int
    number: int
    trust: TrustPage | None
    room: Room
    limits: Limits
    id: int | None = field(default=None, init=False)
    """That of its job run, once it is recorded."""
    _progress: Progress | None = field(default=None, init=False)
    _transcript: Transcript = field(default_factory=Transcript, init=False)
    _at_work: Attempt | None = field(default=None, init=False)
    _shown: float = field(default=0.0, init=False)
    """When it showed progress last, or began, by its own time."""

    def __post_init__(self) -> None:
        self._context = self.held.context
        self._subject = JobSubject(self.held.subject, self.job.name, self.number)

    async def execute(self) -> tuple[int | None, Outcome]:
        """Run the attempt; return the id of its job run, None if the run may not go on here, and its outcome."""
        self.id = await self.held.start_job(self.job.name, self.position, self.number)
        if self.id is None:
            return None, Outcome("stopped" if self.held.cancelled else "lost")
        began = monotonic()
        self._context.notify(JobStarted(self._subject))
        outcome = replace(await self._attempt(self.id), tail=self._transcript.close())
        if last := self.take_progress():  # in its own transaction, so that locks are taken in order (rule 15)
            await self.held.save_progress(last)
        self._context.notify(JobEnded(self._subject, outcome.state, monotonic() - began, outcome.error))
        return self.id, outcome

    def take_progress(self) -> dict[int, Progress]:
        """Return the progress that is not saved yet, by job run id; the caller saves it."""
        progress, self._progress = self._progress, None
        return {} if progress is None or self.id is None else {self.id: progress}

    def transcripts(self) -> dict[int, Transcript]:
        """Return what it prints, by job run id; the caller saves it. What is left at its end is in the outcome."""
        return {} if self.id is None else {self.id: self._transcript}

    async def seen(self, secrets: Collection[str]) -> JobSeen:
        seen = SeenWork() if self._at_work is None else await self._at_work.seen(secrets)
        return JobSeen(self.job.name, self.number, self.job.isolation, seen)

    async def _attempt(self, job_run_id: int) -> Outcome:
        try:
            attempt = await self._prepare()
            # A child's keeper is recorded before the child runs, for the cleanup of a crash (rule 18).
            if attempt.keeper is not None and not await self.held.record_keeper(job_run_id, attempt.keeper):
                attempt.kill()
                return Outcome("lost")
            await attempt.go()
        except (ChildNotStarted, Shortage, OSError, MemoryError, RuntimeError) as error:
            return self._not_begun(error)
        self.room.begin()
        self._at_work = attempt
        try:
            return await self._watch(attempt)
        finally:
            self._at_work = None
            self.room.end()

    def _not_begun(self, error: Exception) -> Outcome:
        """Return the outcome of work that could not be begun; a shortage only stops it (rule 25)."""
        lost = boottime() >= self.held.lease.trusted_until  # the replica was paused, which is no failure of the job
        short = error if isinstance(error, Shortage) else shortage(error)
        if short is not None and not lost:
            self.room.run_short()
            return Outcome("no room", str(short))
        if short is not None or isinstance(error, ChildNotStarted):
            return Outcome("lost" if lost else "failed", str(short or error))
        if not isinstance(error, OSError):
            raise error
        return Outcome("failed", f"the job could not be started: {error}")

    async def _prepare(self) -> Attempt:
        context, claimed, job = self._context, self.held.claimed, self.job
        application, rows = context.application, context.rows
        brief = Brief(
            application=application.name,
            schedule=rows.name(claimed.schedule),
            row=claimed.schedule,
            scheduled_for=claimed.scheduled_for,
            run_id=claimed.run_id,
            job=job.name,
            attempt=self.number,
            params=claimed.params,
            idempotency_key=idempotency_key(application.name, claimed.schedule, claimed.occurrence, job.name),
            grant=claimed.grant,
            source=application.spec,
            file=str(application.source),
            stamp=application.stamp,
            digest=rows.run_digest(claimed.schedule),
            database=context.public_url,
            identity=context.database.identity,
            trace={} if context.carrier is None else context.carrier(self._subject),
        )
        output = Output(self._printed, self._progressed, self._transcript)
        match job.isolation:
            case "task":
                thread = context.tasks
                return TaskAttempt(job, brief, self._subject, held=self.held.lease, thread=thread, output=output)
            case "thread":
                return ThreadAttempt(job, brief, held=self.held.lease, output=output)
            case "process" | "command":
                assert self.trust is not None  # noqa: S101 - a run with such a job has a page
                return await ChildAttempt.prepare(job, brief, context.templates, trust=self.trust, output=output)
            case _:
                assert_never(job.isolation)

    async def _watch(self, attempt: Attempt) -> Outcome:
        """Wait for the work to end; end it at its timeout, on a stop, or when its lease is lost."""
        work = asyncio.create_task(attempt.wait())
        lost = self.held.lost
        over: set[asyncio.Future[Any]] = {work, lost}
        limit = await self._until_limit(attempt, {*over, self.held.must_stop}, self.limits)
        if not work.done() and not lost.done():
            attempt.stop(self._context.client.timing.kill_time)
            # A keeper ends its child; a task that ignores its cancellation may run for ever. A replica that
            # stops has a limit of its own.
            if attempt.keeper or (limit is None and not self.held.cancelled):
                await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
            else:
                await self._ends_in_time(attempt, over, limit)
        if not work.done():
            attempt.kill()
            await self._gone_by_ttl(work)
        outcome = work.result()
        if lost.done() and outcome.state != "succeeded":
            return replace(outcome, state="lost", error=self.held.loss_cause())
        return outcome if limit is None else over_limit(outcome, limit)

    async def _until_limit(self, attempt: Attempt, events: set[asyncio.Future[Any]], limits: Limits) -> Limit | None:
        """Wait for one of ``events``, or for the first limit of the time from now on, which is returned."""
        began = self._shown = own_time(attempt)
        while True:
            now = own_time(attempt)
            limit = limits.next(now - began, now - self._shown)
            if limit is not None and limit.left <= 0:
                return limit
            left = None if limit is None else limit.left
            if (await asyncio.wait(events, timeout=left, return_when=asyncio.FIRST_COMPLETED))[0]:
                return None

    async def _ends_in_time(self, attempt: Attempt, events: set[asyncio.Future[Any]], limit: Limit | None) -> None:
        """Wait for a task that was told to end; raise `WorkOutlivesLease` when the ttl has passed, or
        `kill_time` if it blocks all other async jobs (rule 25).
        """
        timing = self._context.client.timing
        if await self._until_limit(attempt, events, Limits(timing.kill_time)) is None:
            return
        rest = Limits(timing.ttl - timing.kill_time)
        if not attempt.blocks() and await self._until_limit(attempt, events, rest) is None:
            return
        after = "it was cancelled" if limit is None else "its timeout"
        outcome = None if limit is None else over_limit(Outcome("failed"), limit)
        raise WorkOutlivesLease(f'job "{self.job.name}" did not end after {after}', outcome)

    async def _gone_by_ttl(self, work: "asyncio.Task[Outcome]") -> None:
        """Wait for work without a lease to end; raise `WorkOutlivesLease` in time for the process to end with the ttl
        (rule 9). A process that was suspended for longer could not end its work before: the work gets `kill_time`.
        """
        timing = self._context.client.timing
        patience = timing.ttl - timing.give_up - timing.kill_time
        left = self.held.lease.trusted_until - timing.give_up + timing.ttl - patience - boottime()
        await asyncio.wait({work}, timeout=max(timing.kill_time, left))
        if not work.done():
            raise WorkOutlivesLease(
                f'job "{self.job.name}" of "{self._context.rows.name(self.held.claimed.schedule)}" did not end although its lease was lost',
                patience=patience,
            )

    def _printed(self, lines: Sequence[str]) -> None:
        if self.job.command is not None:  # it has no other way to show progress
            self._show_progress()
        self._context.notify(JobPrinted(self._subject, tuple(lines)))

    def _progressed(self, progress: Progress) -> None:
        self._progress = progress
        self._show_progress()
        self._context.notify(JobProgressed(self._subject, progress.done, progress.total, progress.message))

    def _show_progress(self) -> None:
        if (attempt := self._at_work) is not None:  # which another thread may end now
            self._shown = own_time(attempt)
