"""Replicas of one application in a test: who starts, ends and passes time, and what rules then."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from daemon.definitions.application import Application, Known, Rows
from daemon.execution.claim import claim
from daemon.operations.foresee import foresee
from daemon.operations.trigger import trigger
from daemon.recovery import registry
from daemon.scheduling.deploys.rollout import RequiredRevision, Rollout
from daemon.scheduling.generations.standing import Forecast, state_of
from daemon.store.tables import generation
from daemon.store.tables import replica as replicas
from daemon.telemetry.facts import Fact, Note, SchedulesRetired
from lease.database.database import Database
from tests.support.entries import own_entry
from tests.support.store import Store, a_schedule, an_application

T = 20.0
STEP = 5.0
FOR_GOOD = 40.0
LONG_AGO = 20.0
"""Seconds after which a replica that gave no sign of life does not count as living."""

OLD = an_application(a_schedule("stays"), a_schedule("changes"), a_schedule("goes"))
NEW = an_application(a_schedule("stays"), a_schedule("changes", jobs=("other",)), a_schedule("comes"))
NEWER = an_application(a_schedule("stays"), a_schedule("comes", jobs=("third",)))


class Side:
    """One replica, with a clock of its own."""

    def __init__(self, world: "World", application: Application, holder: str) -> None:
        self.holder = holder
        self.trusted = True
        """Whether it trusts the database's time."""
        self.asked = 0
        self.said: list[str] = []
        self.warned: list[str] = []
        self._application = application
        self.rows = Rows(application)
        self._world = world
        self.entry = own_entry(holder, application.name, application.digest)
        self._now = 0.0
        self.rollout = Rollout(
            world.database,
            application,
            holder,
            holder,
            self._hear,
            rows=self.rows,
            required=RequiredRevision(application, self._hear),
            takeover_after=T,
            clock=lambda: self._now,
            trusts=self._trusts,
        )

    def _trusts(self, _: datetime) -> bool:
        self.asked += 1
        return self.trusted

    def _hear(self, fact: Fact) -> None:
        if isinstance(fact, SchedulesRetired):  # it is told in words too
            return
        assert isinstance(fact, Note)
        self.said.append(fact.text)
        if fact.is_warning:
            self.warned.append(fact.text)

    async def start(self, *, take_over: bool = False) -> None:
        """Start it, and compare what was foreseen with what came of it."""
        foreseen = self._foreseen(take_over=take_over)
        self._world.store.do(registry.register, self.entry)
        brought = await self.rollout.join(take_over=take_over)
        assert brought is not None
        own = brought.order.latest(self._application.digest)
        assert own is not None
        assert (foreseen.number, foreseen.state) == (own.number, state_of(brought.order, own))

    def _foreseen(self, *, take_over: bool) -> Forecast:
        def unit(connection: Connection) -> Forecast:
            return foresee(connection, self._application, by="replica", take_over=take_over, takeover_after=T).forecast

        return self._world.store.do(unit)

    async def sign_of_life(self, seconds: float = STEP) -> None:
        self._now += seconds
        self._world.store.do(registry.touch, self.holder)
        self._world.store.shift(replicas, replicas.c.holder == self.holder, ready_at=-self._now)
        await self.rollout.follow(await self._world.database.read(self.rollout.look))


class World:
    """A database, and the replicas on it."""

    def __init__(self, store: Store, database: Database) -> None:
        self.store = store
        self.database = database
        self.living: list[Side] = []

    async def start(self, application: Application, holder: str, *, take_over: bool = False) -> Side:
        side = Side(self, application, holder)
        await side.start(take_over=take_over)
        self.living.append(side)
        return side

    def kill(self, side: Side) -> None:
        self.living.remove(side)
        self.store.shift(replicas, replicas.c.holder == side.holder, seen_at=-LONG_AGO)

    def end(self, side: Side) -> None:
        self.living.remove(side)
        self.store.do(registry.mark_stopped, side.holder)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            for side in self.living:
                await side.sign_of_life()

    def defined(self) -> dict[str, list[str]]:
        """Return the jobs of each schedule that is not retired."""
        rows = self.store.schedules().values()
        return {row.name: _jobs(row.definition) for row in rows if row.retired_at is None}

    @property
    def ruler(self) -> Any:
        (row,) = self.store.rows(select(generation).where(generation.c.rules))
        return row

    def rules(self, application: Application, *, in_lieu: bool = False) -> bool:
        row = self.ruler
        return bool((row.digest, row.in_lieu) == (application.digest, in_lieu))

    def trigger(self, name: str) -> int:
        return self.store.do(trigger, "shop", name, requested_by="a test")

    def claimed_by(self, application: Application) -> list[str]:
        """Claim what a replica with these definitions may, and return the schedules."""
        known = Known(application.run_digests)
        return sorted(one.schedule for one in self.store.do(claim, "shop", known, "h", "a replica", 60.0, 10))

    def numbers(self) -> list[int]:
        return [row.number for row in self.store.rows(select(generation).order_by(generation.c.number))]


def _jobs(definition: str) -> list[str]:
    return [job["name"] for job in json.loads(definition)["jobs"]]


def jobs_of(application: Application) -> dict[str, list[str]]:
    return {one.name: [job.name for job in one.jobs] for one in application.schedules}
