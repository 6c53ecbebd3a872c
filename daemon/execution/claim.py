"""The claim: runs that may start, each under a new grant of its lease, in one transaction.

Rules 4, 14, 17 and 22. A claim waits for no lock: it skips runs that another claim has locked, and leases that are
live, locked or fenced. So it may lock a run before its lease, unlike every other transaction, and cannot deadlock.
Where others wait for a lock too, a replica takes a place in its queue before (`Places`).
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

import lease.statements
from lease.client import LeaseClient
from lease.database.database import Database
from lease.model import Grant
from lease.waiters import LOOK

from ..definitions.application import Application, Known
from ..definitions.values.queues import RunQueue
from ..states import RunCause, SharedLock
from ..store import statements
from ..store.statements.claims import Candidate, StartedRun
from .next_step import EarlierAttempts


@dataclass(frozen=True, slots=True)
class Turn:
    """A run that may start, as it is compared with those of other queues."""

    candidate: Candidate
    waits_since: datetime
    """Since when it counts as waiting: longer or shorter than it does, by its priority."""
    lock: SharedLock | None = None
    """The lock of which it has yet to get a slot."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a claim, for up to ``limit`` runs."""

    connection: Connection
    application: str
    other_digests: list[str]
    holder: str
    tried: Collection[str]
    """The leases that were tried before."""
    limit: int
    last_chances: bool
    """Also for one that is on its last chance."""

    def candidates(self, queues: Collection[RunQueue]) -> list[Candidate]:
        """Return runs that may start, each with a lease that was free, those first that count as waiting longest."""
        found: list[Turn] = []
        for queue in (None, *queues):
            name, lock, lead = (None, None, timedelta()) if queue is None else (queue.name, queue.lock, queue.lead)
            of_queue = statements.claims.candidates(
                self.connection,
                *(self.application, self.other_digests, self.holder, self.tried),
                self.limit if lock is None else min(lock.slots, self.limit + _OF_OTHERS),
                queue=name,
                slots=lock is not None,
                last_chances=self.last_chances,
            )
            found += [Turn(one, one.available_at - lead, lock) for one in of_queue]
        found.sort(key=attrgetter("waits_since", "candidate.id"))
        slotted = self._with_slots(found) if queues else {}
        mine = [one.candidate if one.lock is None else slotted.get(one.candidate.id) for one in found]
        return [one for one in mine if one is not None][: self.limit]

    def _with_slots(self, found: Iterable[Turn]) -> dict[int, Candidate]:
        """Lock runs that are the first of their lock, one for each free slot, and return them with their slots, by id.

        All replicas give the same slot to the same run, so the slot of a run that another replica has locked is left to that.
        """
        free = self._free_slots({one.lock for one in found if one.lock is not None})
        first = [
            replace(one.candidate, lease_name=name, slot_of=one.lock.name)
            for one in found
            if one.lock is not None and (name := next(free[one.lock], None)) is not None
        ]
        locked = statements.claims.lock(self.connection, first, self.limit) if first else ()
        return {one.id: one for one in first if one.id in locked}

    def _free_slots(self, locks: Collection[SharedLock]) -> dict[SharedLock, Iterator[str]]:
        """Return the leases of each lock that may be granted. Looked at after the runs: the slot of one that has
        started in between, and so is seen no more, is not free.
        """
        names = [name for lock in locks for name in lock.leases]
        out = {*self.tried, *(statements.agenda.taken(self.connection, names) if names else ())}
        return {lock: iter([name for name in lock.leases if name not in out]) for lock in locks}


_OF_OTHERS = 100
"""How many more runs of a lock a claim looks at than it may take, as others may have locked the first ones."""


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that this replica may execute, and must end, under this grant."""

    run_id: int
    application: str
    schedule: str
    scheduled_for: datetime
    occurrence: datetime | int
    """What its idempotency keys name: its instant, or the number of the run that was requested."""
    grant: Grant
    attempt: int
    """The number of this claim of the run, from 1."""
    params: Mapping[str, Any]
    jobs: Mapping[str, EarlierAttempts]
    """The jobs with earlier attempts, in order, by their names."""
    started_ago: float = field(default=0.0, compare=False)
    """The seconds since its first start, by the database's clock; its retries' waits are included."""
    waited: float = field(default=0.0, compare=False)
    """The seconds for which it could have started, by the database's clock."""
    traceparent: str | None = field(default=None, compare=False)
    """The span of the request for it, as W3C Trace Context writes it."""
    cause: RunCause = field(default="schedule", compare=False)
    """Why it was made."""
    begun: int | None = field(default=None, compare=False)
    """The job run of the first attempt of its first job, if that was recorded with the claim."""


def claim(  # noqa: PLR0917 - who claims what, for whom
    connection: Connection,
    application: str,
    known: Known,
    holder: str,
    label: str | None,
    ttl: float,
    limit: int,
    first_jobs: Mapping[str, str] = MappingProxyType({}),
) -> list[ClaimedRun]:
    """Claim up to ``limit`` runs of the definitions that are ``known`` (rule 22), those first that have waited
    longest, by their priority; one per lease, and one in all at work here that is on its last chance (rule 16).

    Of runs that were never claimed before, the first attempt is recorded too, where ``first_jobs``
    has the first job of the schedule.
    """
    started: list[StartedRun] = []
    grants: dict[str, Grant] = {}
    tried: set[str] = set()
    last_chances = True
    while (places := limit - len(started)) > 0:
        search = Search(connection, application, known.other_digests, holder, tried, places, last_chances)
        found = search.candidates(known.queues)
        if known.meet([one.digest for one in found]):
            known.meet(statements.agenda.digests(connection, application))
            continue
        first = first_of_each(found)
        wanted = [one for one in found if first.get(one.lease_name) == one.id]
        granted = _grant(connection, wanted, holder, label, ttl)
        apart = {one.id for one in found if one.on_last_chance}
        last_chances = last_chances and apart.isdisjoint(granted)
        if granted:
            grants |= {grant.name: grant for grant in granted.values()}
            slots = {one.lease_name for one in found if one.slot_of is not None}
            if slotted := [(run_id, grant.name) for run_id, grant in granted.items() if grant.name in slots]:
                statements.claims.put_under(connection, slotted)
            started += statements.claims.start(connection, granted, holder)
        missed = len(granted) < len(first) and any(one.slot_of for one in found)  # others may be free
        if len(found) < places and not missed and not (last_chances and apart.difference(first.values())):
            break
        tried |= first.keys()
    used = {row.lease_name for row in started}
    for name, grant in grants.items():
        if name not in used:  # its run was no longer pending: nothing else would end the grant
            lease.statements.release(connection, grant)
    return _claimed(connection, started, grants, first_jobs)


def _grant(
    connection: Connection, first: Iterable[Candidate], holder: str, label: str | None, ttl: float
) -> dict[int, Grant]:
    """Grant their leases, and return the grants by the ids of their runs. Those that are slots of a lock are granted by
    themselves: their tokens grow together, and if some are gone, the first runs get the others.
    """
    by_lock: dict[str | None, dict[str, int]] = defaultdict(dict)
    for one in first:
        by_lock[one.slot_of][one.lease_name] = one.id
    granted: dict[int, Grant] = {}
    for lock, runs in by_lock.items():
        grants = lease.statements.grant(connection, list(runs), holder, ttl, label=label, slot_of=lock)
        ids = [runs[grant.name] for grant in grants] if lock is None else runs.values()
        granted |= dict(zip(ids, grants, strict=False))
    return granted


def first_of_each(found: Iterable[Candidate]) -> dict[str, int]:
    """Return the first run of each lease, by the lease, and of runs on their last chance one in all (rule 16)."""
    first: dict[str, int] = {}
    taken = False
    for one in found:
        if one.lease_name not in first and not (one.on_last_chance and taken):
            first[one.lease_name] = one.id
            taken = taken or one.on_last_chance
    return first


def _claimed(
    connection: Connection, started: list[StartedRun], grants: Mapping[str, Grant], first_jobs: Mapping[str, str]
) -> list[ClaimedRun]:
    resumed = [row.id for row in started if row.attempt > 1 or row.retry_of is not None]  # a retry has carried jobs
    jobs = _jobs(connection, resumed) if resumed else {}
    first = [
        (row.id, grants[row.lease_name].token, grants[row.lease_name].holder, first_jobs[row.schedule], 0, 1)
        for row in started
        if row.attempt == 1 and row.retry_of is None and row.schedule in first_jobs
    ]
    begun = statements.job_run.start_jobs(connection, first) if first else {}
    return [
        ClaimedRun(
            run_id=row.id,
            application=row.application,
            schedule=row.schedule,
            scheduled_for=row.scheduled_for,
            occurrence=_occurrence(row),
            grant=grants[row.lease_name],
            attempt=row.attempt,
            params=json.loads(row.params),
            jobs=jobs.get(row.id, {}),
            started_ago=row.started_ago,
            waited=row.waited,
            traceparent=row.traceparent,
            cause=row.cause,
            begun=begun.get(row.id),
        )
        for row in sorted(started, key=attrgetter("available_at", "id"))
    ]


def _occurrence(row: StartedRun) -> datetime | int:
    """Return the occurrence of a run; that of a retry is the one of the run that it tries again."""
    if row.retry_of is not None:
        return row.scheduled_for if row.origin is None else row.origin
    return row.id if row.trigger == "manual" else row.scheduled_for


def _jobs(connection: Connection, run_ids: list[int]) -> dict[int, dict[str, EarlierAttempts]]:
    jobs: dict[int, dict[str, EarlierAttempts]] = {}
    for row in statements.job_run.of_runs(connection, run_ids):
        of_run = jobs.setdefault(row.run_id, {})
        before = of_run.get(row.job)
        done = before is not None and before.state == "succeeded"
        failures = (before.failures if before else 0) + (row.state == "failed")
        of_run[row.job] = EarlierAttempts("succeeded" if done else row.state, failures, row.attempt + 1)
    return jobs


class Places:
    """The places of a replica in the queues of shared locks, so that neither programs that use the lock library nor
    replicas starve the other.

    Replicas do not queue up behind one another: they find what may start by looking. A lock that other clients hold or
    wait for is free for moments only, and never when a replica looks; so the replica takes a place there, and claims
    when its turn comes.
    """

    def __init__(self, application: Application, database: Database, client: LeaseClient) -> None:
        self._application, self._database, self._client = application.name, database, client
        locks = [schedule.lock for schedule in application.schedules]
        # Where there are several slots, the next one that is free is taken, and no place is kept for one.
        self._locks = {lock.name for lock in locks if lock is not None and lock.slots == 1}

    async def keep(self) -> None:
        """Queue up where a run is due."""
        if not self._locks:
            return
        client = self._client
        names = sorted(await self._database.read(lambda c: sought(c, self._application, self._locks, client.holder)))
        if names:
            # Rows that are locked are passed over.
            await self._database.write(lambda c: lease.statements.queue_up(c, names, client.holder, client.label))


def sought(connection: Connection, application: str, locks: Collection[str], holder: str) -> list[str]:
    """Return those of ``locks`` for which a run is due that others than replicas hold or wait for,
    and in whose queue ``holder`` has no place, or not for long any more.
    """
    names = statements.agenda.waiting_for(connection, application, locks)
    if not names:
        return []
    there = {
        queue: {waiter.holder for waiter in queue.waiting}.union([] if queue.holder is None else [queue.holder])
        for queue in lease.statements.read_queues(connection, names)
    }
    replicas = statements.replica.holders_among(connection, set().union(*there.values()))
    contended = [queue for queue, holders in there.items() if not holders <= replicas]
    return [
        queue.name
        for queue in contended
        if not any(waiter.holder == holder and waiter.until > queue.moment + LOOK / 2 for waiter in queue.waiting)
    ]
