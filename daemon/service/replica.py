"""The loop of a replica: it reads the agenda, settles, plans, claims, and rests.

No replica is special: any number of them do the same on one database, and leases and row locks keep
them apart. A tick with nothing to do costs one query.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TypeVar

from lease.errors import StoreUnavailable

from ..execution.claim import Places
from ..execution.context import ReplicaContext
from ..execution.run_execution import CancelWatch
from ..jobs.room import shortage
from ..own_thread import beside
from ..recovery import registry
from ..recovery.deaths import DeathWatch
from ..recovery.settle import Settler
from ..scheduling.deploys.rollout import RequiredRevision, Rollout
from ..scheduling.plan_due import Planner
from ..scheduling.trusted_time import Trusts
from ..telemetry.facts import DatabaseAway, DatabaseBack, NextDue, Note, Notify
from ..telemetry.sentences import sentence
from ..web.health import Beat
from .check_in import CheckIn
from .runs_at_work import RunsAtWork
from .settings import STOP_MARGIN, Settings
from .waking.hearing import Hearing
from .waking.idle_wait import Agenda, IdleWait, Wakes

T = TypeVar("T")


class DatabaseContact:
    """The contact with the database, judged by the replica's own attempts to use it."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._lost_at: float | None = None

    def lost_for(self) -> float | None:
        """Return the seconds since the database was lost, None while it is not. For any thread."""
        lost_at = self._lost_at
        return None if lost_at is None else monotonic() - lost_at

    async def during(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what ``work`` does with the database; None while that is away, which is reported once, as its end is."""
        try:
            done = await work()
        except (StoreUnavailable, OSError, MemoryError, RuntimeError) as error:
            if not isinstance(error, StoreUnavailable) and shortage(error) is None:
                raise
            if self._lost_at is None:  # of no use for now, also where only a thread was missing to use it
                self._lost_at = monotonic()
                self._notify(DatabaseAway(str(error)))
            return None
        if (lost_at := self._lost_at) is not None:
            self._lost_at = None
            self._notify(DatabaseBack(monotonic() - lost_at))
        return done


_STOP_LIMIT = STOP_MARGIN - 2.0
"""Seconds beyond kill_time that stopped runs may take to be handed back; the rest is for closing."""


class Replica:
    """Claims and executes the runs of one application."""

    def __init__(
        self,
        context: ReplicaContext,
        settings: Settings,
        entry: registry.ReplicaEntry,
        trusts: Trusts | None = None,
        hearing: Hearing | None = None,
    ) -> None:
        application, database, client, rows = context.application, context.database, context.client, context.rows
        self.running = False
        self.draining = False
        self.contact = DatabaseContact(context.notify)
        self.context, self._settings = context, settings
        self._places = Places(context.application, context.database, context.client)
        self.hearing = hearing or Hearing()
        self._deaths = DeathWatch(client.holder, client.timing)
        self.rest = IdleWait(lambda: self.hearing.works, self._deaths, settings.poll, client.timing)
        self.age = self.rest.age
        self._at_once = False
        self._refills = False
        self._drained_at: float | None = None
        self._due_next: tuple[str | None, float | None] = (None, None)
        """The schedule, and the moment, that were reported as due next."""
        self.required = RequiredRevision(application, context.notify, self.rest.wake)
        self.runs = RunsAtWork(
            *(context, settings.concurrency, self.required),
            changed=self.rest.wake_for_places,
            may_claim=lambda: not self.draining,
        )
        context.batcher.hear_end = self._run_ends
        name, notify, known = application.name, context.notify, self.runs.known
        self.planner = Planner(
            *(database, name, rows, notify, trusts), others=lambda: known.other_schedules, called=rows.name
        )
        self._settler = Settler(database, name, client.holder, client.label, notify, self._deaths, rows.name)
        self.rollout = Rollout(
            *(database, application, client.holder, client.label, notify),
            rows=rows,
            takeover_after=settings.takeover_after,
            trusts=trusts,
            required=self.required,
        )
        self._check_in = CheckIn(
            *(context, entry, self.runs, self.rollout),
            hearing=self.hearing,
            deaths=self._deaths,
            draining=lambda: self.draining,
            looked=self._looked,
        )
        self._cancels = CancelWatch(context, self.runs.ids, self.runs.execution)

    def drain(self) -> None:
        """Claim no more runs, and let running jobs finish (rule 19); `grace` counts from here."""
        if self._drained_at is None:
            self._drained_at = monotonic()
            # However long the tick takes that is under way: the database may be silent.
            asyncio.get_running_loop().call_later(self._settings.grace, self.runs.stop)
        self.draining = True
        self.rest.wake()

    def stop_at_once(self) -> None:
        """Stop the jobs at once and hand their runs back."""
        self._at_once = True
        self.drain()
        self.runs.stop()

    # The loop

    async def run(self, *, until_idle: bool = False) -> None:
        """Work until `drain`, or ``until_idle``; then stop what is left (rule 19)."""
        self.running = True
        self.hearing.begin(Wakes(self.rest, self._check_in.wake, self._cancels.wake, self.runs.room, self.runs.ids))
        async with beside(self._check_in.beat()), beside(self._cancels.watch()):
            try:
                while not self.draining and self.runs.failure is None:
                    agenda = await self.tick()
                    self._tell_next(agenda)
                    if until_idle and agenda is not None and agenda.idle and not self.runs:
                        break
                    await self._rest(agenda)
                await self.finish()
            except BaseException:
                await self._stop_runs()  # before the caller releases the leases and ends the heartbeat (rule 19)
                raise

    async def clean_up(self) -> None:
        """Settle what an earlier crash left (rule 18), and first end what is left of its work on this machine: also of
        work whose lease is stale, for its keeper may have been stopped. Live leases of the living are not touched.
        """
        await self._settler.settle_proven_dead(at_startup=True)
        await self._settler.settle_stale(at_startup=True)

    async def join(self, *, take_over: bool = False, guarded: bool = False) -> bool | None:
        """Bring the definitions; return whether they rule (rule 21), or None if told to drain before they could."""
        if guarded:  # who is dead runs nothing
            await self.context.database.write(registry.mark_proven_dead)
        brought = await self.rollout.join(take_over=take_over, guarded=guarded, stopping=lambda: self.draining)
        return None if brought is None else brought.rules

    async def tick(self) -> Agenda | None:
        """Do what can be done now and return what is left; None while the database is away."""
        self.rest.begin_look()
        return await self.contact.during(self._work_off)

    async def _work_off(self) -> Agenda:
        agenda = await self._look()
        agenda = await self._settle(agenda)
        agenda = await self._plan(agenda)
        agenda = await self._claim(agenda)
        if agenda.pending and self.runs.room().is_left:
            await self._places.keep()  # in the queues of shared locks that other programs hold or wait for
        return agenda

    async def finish(self) -> None:
        """Let jobs finish for `grace`, then stop them; the heartbeat keeps running (rule 19)."""
        self.draining = True
        self.context.notify(NextDue(None, None))
        if self.runs and not self._at_once:
            waited = 0.0 if self._drained_at is None else monotonic() - self._drained_at  # for the last tick, say
            await self._wait_for_runs(self._settings.grace - waited)
        await self._stop_runs()
        if self.runs.lost or self.runs.refused:
            lost = f"runs lost with their leases: {self.runs.lost}"
            self.context.notify(Note(f"{lost}; writes refused because the grant had ended: {self.runs.refused}"))

    # The steps of a tick; each returns the agenda after it

    async def _look(self) -> Agenda:
        return await self.context.database.read(self.runs.look())

    async def _settle(self, agenda: Agenda) -> Agenda:
        """End the attempts that other replicas left behind (rule 18)."""
        if not (agenda.others_running or agenda.stranded):
            return agenda
        settled = await self._settler.settle_proven_dead()
        if agenda.stranded:
            await self._check_in.touch()  # so that others see that it lost its lease and did not die (rule 16)
            settled += await self._settler.settle_stale()
        if settled:
            self.context.publisher.say_work()
        return await self._look() if settled else agenda

    async def _plan(self, agenda: Agenda) -> Agenda:
        """Plan instants that are due, in one transaction, so that what may start is claimed soon (rule 13)."""
        if not agenda.due or self.draining:
            return agenda
        planned = await self.planner.plan(agenda.database_time, agenda.to_plan)
        if self.planner.made > self.runs.free_places:
            self.context.publisher.say_work()  # others looked as well, and found it locked
        if not planned:
            return agenda
        if self.planner.ready:
            await self._fill()  # before the next look, so that it starts the sooner
        return await self._look()

    async def _claim(self, agenda: Agenda) -> Agenda:
        if not agenda.available or not await self._fill():
            return agenda
        return agenda if self._refills else await self._look()

    async def _fill(self) -> bool:
        """Claim as many runs as there are places, in one transaction (rules 2 and 4); return whether there were any."""
        if self.runs.free_places <= 0 or self.draining:
            return False
        self._refills = await self.runs.fill()
        return True

    # The rest between two ticks

    async def _rest(self, agenda: Agenda | None) -> None:
        """Rest until something is due, or until woken."""
        if agenda is None:
            await self.rest.rest(self.context.client.timing.retry_wait)
        elif not (agenda.due and self.planner.has_more):
            await self.rest.after(agenda, self.runs.room())
            # Claim with the ends of others as long as there is more, and nothing else to look after (rule 15).
            while self._refills and self.rest.is_for_places and not self.draining and self.runs.failure is None:
                self.rest.begin_claim()
                self._refills = await self.contact.during(self.runs.fill) or False
                if self._refills:  # else there is an agenda to be read
                    await self.rest.go_on()

    def _run_ends(self) -> None:
        """Claim with the end of a run that is about to be written, if there was more to claim."""
        if self._refills:
            self.rest.wake_for_places()

    def _tell_next(self, agenda: Agenda | None) -> None:
        """Report what is due next, if that has changed."""
        if agenda is None:
            return
        left = agenda.until_instant
        moment = None if left is None else round(agenda.database_time.timestamp() + left, 3)
        if (found := (agenda.due_next, moment)) != self._due_next:
            self._due_next = found
            name = None if agenda.due_next is None else self.context.rows.name(agenda.due_next)
            at = None if left is None else datetime.now(UTC) + timedelta(seconds=left)
            self.context.notify(NextDue(name, at))

    def _looked(self, agenda: Agenda, began: float) -> None:
        self._tell_next(agenda)
        self.rest.take_in(agenda, self.runs.room(), began)

    # Stopping the runs

    async def _stop_runs(self) -> None:
        self.runs.stop()
        self._deaths.close()
        await self._wait_for_runs(self.context.client.timing.kill_time + _STOP_LIMIT)
        await self.runs.fail_if_any()

    async def _wait_for_runs(self, seconds: float) -> None:
        """Wait up to ``seconds`` until no run is at work; less if `stop_at_once` was called."""
        deadline = monotonic() + seconds
        while self.runs and (left := deadline - monotonic()) > 0 and self.runs.failure is None:
            self.rest.begin_look()
            await self.rest.rest(min(left, self._settings.poll))
            if self._at_once:
                deadline = min(deadline, monotonic() + self.context.client.timing.kill_time + _STOP_LIMIT)


LOOP_LIMIT = 30.0
"""Seconds without a tick after which a loop counts as dead."""


class Readiness:
    """The loops of a replica, and the problems that keep it from being ready."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._client, self._tasks = replica.context.client, replica.context.tasks
        self._started = monotonic()

    def loops(self) -> dict[str, Beat]:
        age = self._replica.age() if self._replica.running else monotonic() - self._started
        return {
            "replica": Beat(age, LOOP_LIMIT),
            "heartbeat": Beat(self._client.heartbeat_age(), self._client.timing.give_up),
        }

    def is_alive(self) -> bool:
        return all(beat.alive for beat in self.loops().values())

    def problems(self) -> dict[str, str]:
        """Return a sentence for each check that fails; empty when the replica is ready."""
        found = {}
        if self._replica.draining:
            found["draining"] = "the replica is stopping and claims no more runs"
        if not self._replica.running:
            found["starting"] = "the replica is still starting"
        if (away := self._replica.contact.lost_for()) is not None:
            found["database"] = f"the database has been unreachable for {away:.0f}s"
        if (silent := self._client.heartbeat_age()) > self._client.timing.renew_every * 2:
            found["heartbeat"] = f"the heartbeat has not run for {silent:.0f}s"
        if (age := self._tasks.age()) > LOOP_LIMIT:
            found["tasks"] = f"an async job has blocked the event loop of async jobs for {age:.0f}s"
        return found

    def standing(self) -> str | None:
        return self._replica.rollout.standing()

    def blocked(self) -> str | None:
        """Return a sentence about the job that blocks all async jobs, if one does (rule 25)."""
        named = self._tasks.blocked()
        return None if named is None else sentence(named)

    def counts(self) -> dict[str, int]:
        """Return the number of runs lost with their leases, and of writes that were refused."""
        return {"runs_lost": self._replica.runs.lost, "writes_refused": self._replica.runs.refused}
