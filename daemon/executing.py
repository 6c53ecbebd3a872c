"""One run, from its claim to its end: its jobs in order, each recorded under the run's grant (rules 9, 10, 14 to 16 and 20)."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from lease.client import Lease, LeaseClient
from lease.clock import boottime
from lease.database import Database
from lease.errors import StoreUnavailable

from . import completion
from .attempts import Attempt, ChildAttempt, Listeners, TaskAttempt, timed_out
from .brief import Brief, idempotency_key
from .children import ChildNotStarted
from .claiming import Claimed
from .deciding import FinishRun, HandBack, LetGo, NextJob, Outcome, RetryLater, Step, after_job
from .definitions import Application, Job, Schedule
from .reports import Progress
from .task_thread import TaskThread
from .trust import TrustPage
from .watching import Watcher

T = TypeVar("T")


class WorkOutlivesLease(BaseException):
    """A task did not end although its lease's ttl is over: only the end of the process ends it (rule 9)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of a replica shares."""

    application: Application
    database: Database
    database_url: str
    client: LeaseClient
    tasks: TaskThread
    watcher: Watcher


class RunExecution:
    """One claimed run at work in this replica."""

    def __init__(self, around: Surroundings, schedule: Schedule, claimed: Claimed, held: Lease) -> None:
        self.claimed = claimed
        self.unsaved: dict[int, Progress] = {}
        """Progress not yet in the database, by the id of the job run; the replica saves it now and then."""
        self._around = around
        self._schedule = schedule
        self._held = held
        self._lost = asyncio.Event()
        self._stop = asyncio.Event()
        self._trust = TrustPage(held.trusted_until)
        self._failures = {job.job: job.failures for job in claimed.jobs}
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
        for index, job in enumerate(remaining):
            number, outcome = await self._one_job(job)
            step = after_job(
                outcome,
                job,
                failures=self._failures.get(job.name, 0),
                more=index + 1 < len(remaining),
                failed_before=failed,
                on_failure=self._schedule.on_failure,
                chance=random.random(),  # noqa: S311 - it only spreads retries
            )
            if not isinstance(step, NextJob) or number is None:
                return await self._finish(step, number, outcome)
            if outcome.state == "failed":
                failed = [*failed, job.name]
            if not await self._saved(lambda c, n=number, o=outcome: completion.finish_job(c, self._grant, n, o)):
                return "lost", self._cause()
        return await self._finish(FinishRun("succeeded", None), None, None)
