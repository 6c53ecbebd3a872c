"""One replica: claims runs and ends them, until nothing is left. It does what `leased run` does, with empty work."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection, func, select

from daemon.definitions.application import Known
from daemon.execution.claim import ClaimedRun, claim
from daemon.execution.writes.batcher import WriteBatcher
from daemon.execution.writes.transactions import AlreadyDone, Done, EndedJob, EndRun
from daemon.jobs.reports import Outcome
from daemon.store.tables import run
from lease.client import Lease, LeaseClient
from lease.database.database import Database
from lease.errors import StoreUnavailable
from lease.events import AtRisk, Event

from ..counting import Counter
from ..errors import BenchmarkError
from .workload import JOB

T = TypeVar("T")
CONNECTIONS = 4
"""As many as a replica of `leased run` has."""
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Part:
    """What one replica did. Durations are in seconds, moments those of the machine's monotonic clock."""

    runs: tuple[int, ...]
    """The ids of the runs that it ended."""
    claims: tuple[float, ...]
    """How long each claim took that brought something."""
    empty: int
    """Claims that brought nothing while runs were left."""
    unavailable: int
    """Transactions that failed and were tried again: deadlocks, time-outs."""
    at_risk: int
    """Renewals that failed, or passed over a lease whose row was locked."""
    statements: int
    commits: int
    started: float
    ended: float


@dataclass(slots=True)
class Replica:
    """Its own connections and heartbeat, and what it has done so far."""

    database: Database
    client: LeaseClient
    application: str
    known: Known
    places: int
    told: list[Event]
    """The events of its client, which go on to be added."""
    batcher: WriteBatcher = field(init=False)
    first_jobs: dict[str, str] = field(init=False)
    runs: list[int] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    empty: int = 0
    unavailable: int = 0
    ended: float = 0.0

    def __post_init__(self) -> None:
        self.batcher = WriteBatcher(self.database)
        self.first_jobs = dict.fromkeys(self.known.schedules, JOB)

    async def work(self, counter: Counter) -> Part:
        """Claim as many runs as there are places, execute them at once, and again, until none is pending."""
        started = self.ended = monotonic()
        statements, commits = counter.statements, counter.commits
        self.told.clear()
        while True:
            claimed = await self._claim()
            if claimed:
                await asyncio.gather(*(self._execute(one, held) for one, held in claimed))
                self.ended = monotonic()
            elif await self.database.read(self._pending):
                self.empty += 1
            else:
                break
        return Part(
            runs=tuple(self.runs),
            claims=tuple(self.claims),
            empty=self.empty,
            unavailable=self.unavailable,
            at_risk=sum(isinstance(event, AtRisk) for event in self.told),
            statements=counter.statements - statements,
            commits=counter.commits - commits,
            started=started,
            ended=self.ended,
        )

    async def _claim(self) -> list[tuple[ClaimedRun, Lease]]:
        client, began = self.client, 0.0
        who = (client.holder, client.label, client.timing.ttl)

        def unit(connection: Connection, places: int) -> list[ClaimedRun]:
            return claim(connection, self.application, self.known, *who, places, self.first_jobs)

        async with client.acquiring() as acquisition:
            began = monotonic()
            claimed = await self._write(lambda: self.batcher.claim(unit, lambda _: self.places))
            seconds = monotonic() - began
            leases = await acquisition.adopt([one.grant for one in claimed])
        if claimed:
            self.claims.append(seconds)
        return list(zip(claimed, leases, strict=True))

    async def _execute(self, claimed: ClaimedRun, held: Lease) -> None:
        if claimed.begun is None:
            raise BenchmarkError(f"run {claimed.run_id} was claimed, but its first attempt was not recorded")
        end = EndRun(claimed, "succeeded", job=EndedJob(claimed.begun, Outcome("succeeded")))
        async with held.ending():
            answer = await self._write(lambda: self.batcher.write(end))
        if not isinstance(answer, Done | AlreadyDone):
            raise BenchmarkError(f"run {claimed.run_id}, which ran here, could not be ended: {answer}")
        self.runs.append(claimed.run_id)

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return await write()
            except StoreUnavailable:
                self.unavailable += 1
                if not left:
                    raise
        raise AssertionError

    def _pending(self, connection: Connection) -> int:
        # Nothing goes back to pending here, so that what is pending now was it during the claim.
        left = select(func.count()).where(run.c.application == self.application, run.c.state == "pending")
        return connection.execute(left).scalar_one()
