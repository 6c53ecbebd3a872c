"""One run, from its claim to its end: its jobs in order, each recorded under the run's grant (rules 14 to 16)."""

import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from lease.client import Lease
from lease.durations import format_duration
from lease.errors import StoreUnavailable
from lease.statements import notify

from ..definitions.model import Job, Schedule
from ..jobs.processes.trust_page import TrustPage
from ..jobs.reports import Progress
from . import completion
from .attempt import JobExecution
from .claim import ClaimedRun
from .context import ReplicaContext
from .held_run import HeldRun
from .next_step import FinishRun, HandBack, NextJob, RetryLater, Step, after_job
from .write_result import AlreadyDone, Done, EndedJob, NotOurs

Rest = Sequence[tuple[int, Job]]


class RunExecution:
    """One claimed run at work in this replica."""

    def __init__(self, around: ReplicaContext, schedule: Schedule, claimed: ClaimedRun, held: Lease) -> None:
        self.claimed = claimed
        self._around = around
        self._schedule = schedule
        self._tenancy = HeldRun(around, claimed, held)
        self._trust = TrustPage(held.trusted_until)
        self._before = {job.job: job for job in claimed.jobs}
        self._job: JobExecution | None = None
        held.watch(self._trust.extend)

    @property
    def refused(self) -> int:
        """How many writes changed no row, because the grant had ended."""
        return self._tenancy.refused

    def stop(self) -> None:
        """End the job under way and hand the run back."""
        self._tenancy.stop.set()

    def take_progress(self) -> dict[int, Progress]:
        """Return the progress that is not in the database yet, by the id of the job run; the caller saves it."""
        return self._job.take_progress() if self._job is not None else {}

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
            self._job = JobExecution(
                self._tenancy, job, position=position, number=self._attempt_number(job.name), trust=self._trust
            )
            number, outcome = await self._job.execute()
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
            if self._tenancy.was_refused(await self._tenancy.saved(partial(_finish_job, self.claimed, ended))):
                return "lost", self._tenancy.cause()
            if outcome.state == "failed":
                failed = [*failed, job.name]
        # Every job was done before: the definition has become shorter since.
        return await self._end(FinishRun("succeeded", None), None, [])

    async def _end(self, step: Step, job: EndedJob | None, rest: Rest) -> tuple[str, str | None]:
        """Carry out what was decided: one transaction for job run, run and lease (rule 15)."""
        claimed = self.claimed
        ended: tuple[str, str | None]
        async with self._tenancy.held.ending():
            match step:
                case FinishRun(state, reason):
                    not_started = [(job.name, position) for position, job in rest]
                    answer = await self._tenancy.saved(
                        lambda c: completion.finish_run(c, claimed, state, reason, job=job, not_started=not_started)
                    )
                    ended = state, reason
                case RetryLater(wait, reason):
                    answer = await self._tenancy.saved(lambda c: completion.retry_run(c, claimed, wait, job=job))
                    ended = "pending", f"{reason}; again in {format_duration(wait)}"
                case HandBack(reason):
                    answer = await self._tenancy.saved(lambda c: completion.hand_back(c, claimed, job=job))
                    ended = "pending", reason
                case _:
                    answer = await self._let_go(job)
                    ended = "lost", self._tenancy.cause()
        if self._tenancy.was_refused(answer):
            return "lost", self._tenancy.cause()
        await self._tell_waiters(answer)
        return ended

    async def _let_go(self, job: EndedJob | None) -> Done | AlreadyDone | NotOurs | None:
        """The lease is lost and the work has ended: if nobody else has been granted it, say so, that another may resume at once."""
        with suppress(StoreUnavailable):
            return await self._around.database.write(lambda c: completion.hand_back(c, self.claimed, job=job))
        return None

    async def _tell_waiters(self, answer: object) -> None:
        """After the commit, alone, and only where somebody waits for the lease (rule 15)."""
        if isinstance(answer, Done) and answer.awaited:
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


def _finish_job(claimed: ClaimedRun, ended: EndedJob, connection: Connection) -> Done | AlreadyDone | NotOurs:
    return completion.finish_job(connection, claimed, ended.job_run_id, ended.outcome)
