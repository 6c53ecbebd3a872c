"""One replica: claims runs and ends them, until nothing is left. It does what `leased run` does, with empty work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TypeVar

from sqlalchemy import Connection, func, select

from daemon.execution.claim import ClaimedRun, claim
from daemon.jobs.outcome import Outcome
from daemon.store.tables import run
from lease.client import Lease, LeaseClient
from lease.database.database import Database
from lease.errors import StoreUnavailable
from lease.events import AtRisk, Event
from tests.support.completion import AlreadyDone, Done, EndedJob, finish_run, start_job

from .counting import Counter
from .errors import BenchmarkError
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
    digests: tuple[str, ...]
    places: int
    told: list[Event]
    """The events of its client, which go on to be added."""
    runs: list[int] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    empty: int = 0
    unavailable: int = 0
    ended: float = 0.0

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

        def unit(connection: Connection) -> list[ClaimedRun]:
            ttl = client.timing.ttl
            return claim(connection, self.application, self.digests, client.holder, client.label, ttl, self.places)

        async with client.acquiring() as acquisition:
            began = monotonic()
            claimed = await self._write(unit)
            seconds = monotonic() - began
            leases = await acquisition.adopt([one.grant for one in claimed])
        if claimed:
            self.claims.append(seconds)
        return list(zip(claimed, leases, strict=True))

    async def _execute(self, claimed: ClaimedRun, held: Lease) -> None:
        number = await self._write(partial(start_job, claimed=claimed, job=JOB, position=0, attempt=1))
        if not isinstance(number, int):
            raise BenchmarkError(f"run {claimed.run_id}, just claimed, is not ours: {number}")
        ended = EndedJob(number, Outcome("succeeded"))
        async with held.ending():
            answer = await self._write(partial(finish_run, claimed=claimed, state="succeeded", job=ended))
        if not isinstance(answer, Done | AlreadyDone):
            raise BenchmarkError(f"run {claimed.run_id}, which ran here, could not be ended: {answer}")
        self.runs.append(claimed.run_id)

    async def _write(self, unit: Callable[[Connection], T]) -> T:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return await self.database.write(unit)
            except StoreUnavailable:
                self.unavailable += 1
                if not left:
                    raise
        raise AssertionError

    def _pending(self, connection: Connection) -> int:
        # Nothing goes back to pending here, so that what is pending now was it during the claim.
        left = select(func.count()).where(run.c.application == self.application, run.c.state == "pending")
        return connection.execute(left).scalar_one()
