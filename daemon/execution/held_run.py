"""A run held by this replica, and all that it may write of it (rules 9, 10 and 15)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import TypeVar

from lease.client import Lease
from lease.clock import boottime
from lease.errors import StoreUnavailable
from lease.model import Loss, LossKind
from lease.statements import notify as notify_waiters

from ..definitions.schedule import Job
from ..definitions.values.queues import queues_that_take
from ..jobs.processes.identity import ProcessIdentity
from ..jobs.reports import Progress
from ..own_thread import soon
from ..scheduling.plan import is_shared
from ..telemetry.facts import RunSubject, WriteRefused
from .claim import ClaimedRun
from .context import LossNote, ReplicaContext
from .writes import transactions
from .writes.transactions import AlreadyDone, Done, EndedJob, EndRun, FinishJob, Marked, NotOurs, StartJob

T = TypeVar("T")
W = TypeVar("W")


class HeldRun:
    """A run, the grant under which this replica holds it, and the signal to stop.

    Each verb is one transaction, which is repeated while the database is away, and returns whether
    the run was still ours.
    """

    def __init__(self, context: ReplicaContext, claimed: ClaimedRun, lease: Lease) -> None:
        self.context = context
        self.claimed = claimed
        self.lease = lease
        name = context.rows.name(claimed.schedule)
        self.subject = RunSubject(claimed.application, name, claimed.run_id, claimed.grant.token, context.client.label)
        """The subject of facts about this run."""
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the lease is lost."""
        self.must_stop: asyncio.Future[None] = loop.create_future()
        """Done when the current job must end and the run must be handed back."""
        self.cancelled = False
        """The run is marked: handed back, it ends as cancelled (rule 23)."""
        self.refused = 0
        """The number of writes that changed no row because the grant had ended."""
        self.given_back = False
        """The end of the grant is written: there is nothing left to release."""

        def hear_of_loss(_: Loss) -> None:
            soon(loop, lambda: _set(self.lost))

        lease.on_lost(hear_of_loss)

    def loss_cause(self) -> str:
        """Return why this replica no longer holds the run."""
        loss = self.lease.loss
        return loss.cause if loss is not None else "this replica no longer holds the run"

    def stop(self) -> None:
        """End the current job, and hand the run back."""
        _set(self.must_stop)

    def cancel(self) -> None:
        """End the current job and then the run: it is marked as cancelled."""
        self.cancelled = True
        self.stop()

    # While it runs

    async def start_job(self, job: str, position: int, attempt: int) -> int | None:
        """Record the start of an attempt; return its job run's id, None if the run is not ours, or is cancelled."""
        if (position, attempt) == (0, 1) and self.claimed.begun is not None:
            return self.claimed.begun  # recorded with the claim
        start = StartJob(self.claimed, job, position, attempt)
        started = await self._until_known(self.context.batcher.write, start)
        if isinstance(started, int):
            return started
        if isinstance(started, Marked):
            self.cancel()
        else:
            self._refuse(started)
        return None

    async def record_keeper(self, job_run_id: int, keeper: ProcessIdentity) -> bool:
        record = partial(transactions.record_keeper, claimed=self.claimed, job_run_id=job_run_id, keeper=keeper)
        return self._is_ours(await self._until_known(self.context.database.write, record))

    async def save_progress(self, progress: Mapping[int, Progress]) -> None:
        save = partial(transactions.save_progress, holder=self.claimed.grant.holder, progress=progress)
        await self._until_known(self.context.database.write, save)

    async def finish_job(self, job: EndedJob) -> bool:
        """Record the end of a job after which the run goes on."""
        end = FinishJob(self.claimed, job, self.context.rows[self.claimed.schedule].targets)
        return self._is_ours(await self._until_known(self.context.batcher.write, end))

    async def leave_word(self, end: EndRun) -> None:
        """Record what is to follow when this process has ended, if that can be done in `kill_time`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.context.client.timing.kill_time):
                await self._until_known(self.context.database.write, partial(transactions.leave_word, end=end))

    # Writes that end the run

    async def end(self, end: EndRun) -> Done | AlreadyDone | None:
        """Write the end of the run, its last job and its lease; return what was written, None if the run is not ours."""
        async with self.lease.ending():
            answer = await self._until_known(self.context.batcher.write, end)
        await self._wake_others(answer, goes_on=end.state == "pending")
        if isinstance(answer, Done | AlreadyDone):
            self.given_back = True
            return answer
        self._refuse(answer)
        return None

    async def let_go(self, *, job: EndedJob | None) -> None:
        """Hand back a run whose lease is lost and whose work has ended, unless another holds it."""
        answer: Done | AlreadyDone | NotOurs | None = None
        async with self.lease.ending():
            with suppress(StoreUnavailable):
                answer = await self.context.batcher.write(EndRun(self.claimed, "pending", None, job))
        if self._is_ours(answer):
            await self._wake_others(answer, goes_on=True)

    def work_ended(self, job: Job) -> float:
        """Return when the work of an attempt ended, by `boottime`, now that this replica has seen
        it: a keeper ends a child with the trust in its lease, also while this process is suspended.
        """
        timing = self.context.client.timing
        ends_by_itself = job.isolation in {"task", "thread"}
        return min(boottime(), inf if ends_by_itself else self.lease.trusted_until + timing.kill_time)

    async def note_loss(self, job_run_id: int, ended: float) -> None:
        """Record why the lease was lost under an attempt, and when its work ended, by `boottime`."""
        loss = self.lease.loss or Loss(self.claimed.grant, LossKind.ENDED, self.loss_cause())
        self.context.losses.add(LossNote(job_run_id, self.claimed.grant, loss, ended))
        with suppress(StoreUnavailable):  # otherwise with a later check-in
            await self.context.losses.write(self.context.database)

    async def _wake_others(self, answer: Done | AlreadyDone | NotOurs | None, *, goes_on: bool) -> None:
        """Notify other replicas after the commit of what they may start now, or sooner than they know (rule
        24): this very run, which is pending again; its successor; or one that waits for the shared lock or a slot of it.
        If clients wait for the lease, notify them in a statement of its own (rule 15).
        """
        if not isinstance(answer, Done):
            return
        if goes_on or answer.promoted:
            self.context.publisher.say_work()
        name = self.claimed.grant.name
        if is_shared(name):
            self.context.publisher.say_released(name, queues_that_take(name))
        if answer.waiting:
            with suppress(StoreUnavailable):
                await self.context.database.read(lambda c: notify_waiters(c, name, answer.waiting))

    # One write

    async def _until_known(self, write: Callable[[W], Awaitable[T]], what: W) -> T | None:
        """Write, again while the database is away; None once the lease is lost."""
        while not self.lost.done():
            try:
                return await write(what)
            except StoreUnavailable:
                await asyncio.wait({self.lost}, timeout=self.context.client.timing.retry_wait)
        return None

    def _is_ours(self, answer: Done | AlreadyDone | NotOurs | None) -> bool:
        if isinstance(answer, Done | AlreadyDone):
            return True
        self._refuse(answer)
        return False

    def _refuse(self, answer: NotOurs | None) -> None:
        """Report a write that changed no row as its grant had ended; None: it was not tried."""
        if answer is not None:
            self.refused += 1
            self.context.notify(WriteRefused(self.subject, answer.who))


def _set(event: "asyncio.Future[None]") -> None:
    if not event.done():
        event.set_result(None)
