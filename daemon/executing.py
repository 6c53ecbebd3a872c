"""One run, from its claim to its end: its jobs in order, each recorded under the run's grant (rules 9, 10, 14 to 16 and 20)."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from lease.client import Lease, LeaseClient
from lease.clock import boottime
from lease.database import Database
from lease.durations import format_duration
from lease.errors import StoreUnavailable
from lease.statements import notify

from . import completion
from .attempts import Attempt, ChildAttempt, Listeners, TaskAttempt, timed_out
from .brief import Brief, idempotency_key
from .children import ChildNotStarted
from .claiming import Claimed
from .completion import EndedJob
from .deciding import FinishRun, HandBack, NextJob, Outcome, RetryLater, Step, after_job
from .definitions import Application, Job, Schedule
from .reports import Progress
from .task_thread import TaskThread
from .trust import TrustPage
from .watching import Watcher

T = TypeVar("T")
Rest = Sequence[tuple[int, Job]]


class WorkOutlivesLease(BaseException):
    """A task did not end although its lease's ttl is over: only the end of the process ends it (rule 9)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of a replica shares."""

    application: Application
    database: Database
    client: LeaseClient
    tasks: TaskThread
    watcher: Watcher


class RunExecution:
    """One claimed run at work in this replica."""

    def __init__(self, around: Surroundings, schedule: Schedule, claimed: Claimed, held: Lease) -> None:
        self.claimed = claimed
        self.unsaved: dict[int, Progress] = {}
        """Progress not yet in the database, by the id of the job run; the replica saves it now and then."""
        self.refused = 0
        """Writes that changed no row, because the grant had ended."""
        self._around = around
        self._schedule = schedule
        self._held = held
        self._lost = asyncio.Event()
        self._stop = asyncio.Event()
        self._trust = TrustPage(held.trusted_until)
        self._before = {job.job: job for job in claimed.jobs}
        loop = asyncio.get_running_loop()
        held.watch(self._trust.extend)
        held.on_lost(lambda _: _soon(loop, self._lost.set))

    def stop(self) -> None:
        """End the job under way and hand the run back."""
        self._stop.set()

    async def execute(self) -> str:
        """Run the jobs that are not done, in order, and return how the run ended for this replica (a state, or "lost")."""
        claimed, watcher = self.claimed, self._around.watcher
        watcher.run_started(claimed.schedule, claimed.run_id, claimed.grant.token)
        try:
            state, reason = await self._jobs()
        finally:
            self._trust.close()
        watcher.run_ended(claimed.schedule, claimed.run_id, state, reason, claimed.grant.token)
        return state

    async def _jobs(self) -> tuple[str, str | None]:
        remaining = self._remaining()
        failed = self._failed_for_good()
        for index, (position, job) in enumerate(remaining):
            number, outcome = await self._one_job(position, job)
            rest = remaining[index + 1 :]
            step = after_job(
                outcome,
                job,
                failures=self._failures(job.name),
                more=bool(rest),
                failed_before=failed,
                on_failure=self._schedule.on_failure,
                chance=random.random(),  # noqa: S311 - it only spreads retries
            )
            ended = None if number is None else EndedJob(number, outcome)
            if ended is None or not isinstance(step, NextJob):
                return await self._end(step, ended, rest)
            if self._refused(await self._saved(partial(_finish_job, self.claimed, ended))):
                return "lost", self._cause()
            if outcome.state == "failed":
                failed = [*failed, job.name]
        # Every job was done before: the definition has become shorter since.
        return await self._end(FinishRun("succeeded", None), None, [])

    async def _end(self, step: Step, job: EndedJob | None, rest: Rest) -> tuple[str, str | None]:
        """Carry out what was decided: one transaction for job run, run and lease (rule 15)."""
        claimed = self.claimed
        ended: tuple[str, str | None]
        async with self._held.ending():
            match step:
                case FinishRun(state, reason):
                    not_started = [(job.name, position) for position, job in rest]
                    answer = await self._saved(
                        lambda c: completion.finish_run(c, claimed, state, reason, job=job, not_started=not_started)
                    )
                    ended = state, reason
                case RetryLater(wait, reason):
                    answer = await self._saved(lambda c: completion.retry_run(c, claimed, wait, job=job))
                    ended = "pending", f"{reason}; again in {format_duration(wait)}"
                case HandBack(reason):
                    answer = await self._saved(lambda c: completion.hand_back(c, claimed, job=job))
                    ended = "pending", reason
                case _:
                    answer = await self._let_go(job)
                    ended = "lost", self._cause()
        if self._refused(answer):
            return "lost", self._cause()
        await self._tell_waiters(answer)
        return ended

    async def _let_go(
        self, job: EndedJob | None
    ) -> completion.Done | completion.AlreadyDone | completion.NotOurs | None:
        """The lease is lost and the work has ended: if nobody else has been granted it, say so, that another may resume at once."""
        with suppress(StoreUnavailable):
            return await self._around.database.write(lambda c: completion.hand_back(c, self.claimed, job=job))
        return None

    def _refused(self, answer: object) -> bool:
        """Tell of a write that changed no row, since another has taken over (rule 10)."""
        if isinstance(answer, completion.NotOurs):
            self.refused += 1
            self._around.watcher.write_refused(
                self.claimed.schedule, self.claimed.run_id, self.claimed.grant.token, answer.who
            )
        return answer is None or isinstance(answer, completion.NotOurs)

    async def _tell_waiters(self, answer: object) -> None:
        """After the commit, alone, and only where somebody waits for the lease (rule 15)."""
        if isinstance(answer, completion.Done) and answer.awaited:
            with suppress(StoreUnavailable):
                await self._around.database.read(lambda c: notify(c, self.claimed.grant.name))

    def _remaining(self) -> list[tuple[int, Job]]:
        """Return the jobs that are not done, with their positions: a run resumes at the first of them (rule 16)."""
        done = {job.job for job in self.claimed.jobs if job.state == "succeeded"}
        done.update(self._failed_for_good())
        return [(position, job) for position, job in enumerate(self._schedule.jobs) if job.name not in done]

    def _failed_for_good(self) -> list[str]:
        """Return the jobs that used up their attempts in this run, where the others go on (``on_failure = "continue"``)."""
        if self._schedule.on_failure == "stop":
            return []
        return [job.name for job in self._schedule.jobs if self._failures(job.name) > job.retries]

    def _failures(self, job: str) -> int:
        before = self._before.get(job)
        return before.failures if before else 0

    def _attempt_number(self, job: str) -> int:
        before = self._before.get(job)
        return before.next_attempt if before else 1

    async def _one_job(self, position: int, job: Job) -> tuple[int | None, Outcome]:
        """Run one attempt of one job, and return the id of its record with how it ended."""
        attempt = self._attempt_number(job.name)
        number = await self._saved(lambda c: completion.start_job(c, self.claimed, job.name, position, attempt))
        if not isinstance(number, int):
            self._refused(number)
            return None, Outcome("lost")
        watcher, began = self._around.watcher, time.monotonic()
        watcher.job_started(self.claimed.schedule, job.name, self.claimed.run_id, self.claimed.grant.token)
        outcome = await self._attempt(number, job)
        await self._save_last_progress(number)
        seconds = time.monotonic() - began
        watcher.job_ended(self.claimed.schedule, job.name, outcome.state, seconds, outcome.error)
        return number, outcome

    async def _attempt(self, number: int, job: Job) -> Outcome:
        try:
            attempt = await self._prepare(number, job)
            if not await self._keeper_recorded(number, attempt):
                attempt.kill()
                return Outcome("lost")
            await attempt.go()
        except ChildNotStarted as error:
            return Outcome("failed", str(error))
        except OSError as error:  # out of descriptors or memory, say: the attempt failed, and counts as one
            return Outcome("failed", f"the job could not be started: {error}")
        return await self._watch(attempt, job)

    async def _watch(self, attempt: Attempt, job: Job) -> Outcome:
        """Wait for the end of the work, and bring it about when its lease is lost, its time is up, or the replica is to end."""
        work = asyncio.create_task(attempt.wait())
        lost, stop = asyncio.create_task(self._lost.wait()), asyncio.create_task(self._stop.wait())
        grace = self._around.client.timing.kill_time
        try:
            await asyncio.wait({work, lost, stop}, timeout=job.timeout, return_when=asyncio.FIRST_COMPLETED)
            in_time = work.done() or lost.done() or stop.done()
            if not work.done() and not lost.done():
                attempt.stop(grace)
                await asyncio.wait({work, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                attempt.kill()
                await self._gone_by_ttl(work, job)
        finally:
            lost.cancel()
            stop.cancel()
        outcome = work.result()
        if self._lost.is_set() and outcome.state != "succeeded":
            return replace(outcome, state="lost", error=self._cause())
        return outcome if in_time or job.timeout is None else timed_out(outcome, job.timeout)

    async def _gone_by_ttl(self, work: "asyncio.Task[Outcome]", job: Job) -> None:
        """Wait until lost work has ended; what has not when the ttl is over ends with this process (rule 9).

        A process that was suspended for longer can tell its work only now: that has `kill_time` still to take note of it.
        """
        timing = self._around.client.timing
        left = self._held.trusted_until - timing.give_up + timing.ttl - boottime()
        await asyncio.wait({work}, timeout=max(timing.kill_time, left))
        if not work.done():
            raise WorkOutlivesLease(
                f'job "{job.name}" of "{self.claimed.schedule}" did not end although its lease is lost: this process ends now'
            )

    async def _prepare(self, number: int, job: Job) -> Attempt:
        brief = self._brief(job)
        listeners = Listeners(
            output=lambda line: self._around.watcher.job_output(self.claimed.schedule, job.name, line),
            progress=lambda progress: self._progressed(number, job, progress),
        )
        if job.isolation == "task":
            return TaskAttempt(job, brief, held=self._held, thread=self._around.tasks, listeners=listeners)
        return await ChildAttempt.prepare(
            job,
            brief,
            trust=self._trust,
            folder=str(self._around.application.source.parent),
            listeners=listeners,
        )

    def _brief(self, job: Job) -> Brief:
        claimed, application = self.claimed, self._around.application
        occurrence = claimed.run_id if claimed.manual else claimed.scheduled_for
        return Brief(
            application=application.name,
            schedule=claimed.schedule,
            scheduled_for=claimed.scheduled_for,
            run_id=claimed.run_id,
            job=job.name,
            attempt=self._attempt_number(job.name),
            params=claimed.params,
            idempotency_key=idempotency_key(application.name, claimed.schedule, occurrence, job.name),
            grant=claimed.grant,
            source=application.spec,
        )

    async def _keeper_recorded(self, number: int, attempt: Attempt) -> bool:
        """Write who keeps the child before it runs, so that a cleaner can end what is left of it (rule 18)."""
        keeper = attempt.keeper
        if keeper is None:
            return True
        return not self._refused(await self._saved(lambda c: completion.record_keeper(c, self.claimed, number, keeper)))

    def _progressed(self, number: int, job: Job, progress: Progress) -> None:
        self.unsaved[number] = progress
        self._around.watcher.job_progress(
            self.claimed.schedule, job.name, progress.done, progress.total, progress.message
        )

    def take_unsaved(self) -> dict[int, Progress]:
        """Return the progress that is not in the database yet; the caller saves it."""
        unsaved, self.unsaved = self.unsaved, {}
        return unsaved

    async def _save_last_progress(self, number: int) -> None:
        """How far the job came is written before its end: in a transaction of its own, that locks be taken in order (rule 15)."""
        if number in self.unsaved:
            last = {number: self.unsaved.pop(number)}
            await self._saved(lambda c: completion.save_progress(c, self.claimed.grant.holder, last))

    async def _saved(self, unit: Callable[[Connection], T]) -> T | None:
        """Write under the grant, again and again while the database is away; None once the lease is lost (rule 10)."""
        while not self._lost.is_set():
            try:
                return await self._around.database.write(unit)
            except StoreUnavailable:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._around.client.timing.retry_wait):
                        await self._lost.wait()
        return None

    def _cause(self) -> str:
        loss = self._held.loss
        return loss.cause if loss is not None else "its run is no longer ours"


def _finish_job(
    claimed: Claimed, ended: EndedJob, connection: Connection
) -> completion.Done | completion.AlreadyDone | completion.NotOurs:
    return completion.finish_job(connection, claimed, ended.job_run_id, ended.outcome)


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the replica's loop has ended
        loop.call_soon_threadsafe(call)
