"""A heartbeat on a store in memory, whose steps a test takes one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import anyio

from lease import Grant, LeaseTiming, StoreUnavailable, events
from lease.grant_state import GrantState
from lease.heartbeat.heartbeat import Flight, Heartbeat
from lease.model import Renewal
from lease.testing import ManualClock, MemoryStore
from tests.lease.stores import QUICK, Recorder, until


class SlowStore(MemoryStore):
    """Whose renewals do, before they answer, what a test says; and which counts its calls."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.before_answer: Callable[[], None] = lambda: None
        self.raises: list[BaseException] = []
        self.renewals = 0
        self.releases: list[Grant] = []
        self.refuses_releases = False

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        self.renewals += 1
        if self.raises:
            raise self.raises.pop(0)
        renewal = await super().renew(holder, ttl, expected, besides)
        self.before_answer()
        return renewal

    async def release(self, grant: Grant) -> bool:
        self.releases.append(grant)
        if self.refuses_releases:
            raise StoreUnavailable(f"the row of {grant.name} is locked")
        return await super().release(grant)


class Beating:
    """A heartbeat whose steps the test takes one by one."""

    def __init__(self, timing: LeaseTiming = QUICK) -> None:
        self.clock = ManualClock()
        self.store = SlowStore(self.clock)
        self.told = Recorder()
        self.timing = timing
        self.heartbeat = Heartbeat(self.store, timing, "anna", self.clock, self.told)

    async def granted(self, name: str = "a") -> Grant:
        """Let the database grant it; nobody has it here."""
        answer = await self.store.grant(name, "anna", "", self.timing.ttl)
        assert isinstance(answer, Grant)
        return answer

    async def hold(self, name: str = "a") -> GrantState:
        sent = self.clock()
        return self.heartbeat.adopt(await self.granted(name), sent)

    def fly(self, name: str) -> Flight:
        flight = Flight(name)
        self.heartbeat.flights.under_way.add(flight)
        return flight

    async def beat(self) -> None:
        await self.heartbeat._beat(self.clock())

    async def beat_when_due(self) -> None:
        self.clock.advance(max(0.0, self.heartbeat._next_beat - self.clock()))
        await self.heartbeat._beat_when_due()

    async def watch(self) -> None:
        await self.heartbeat._watch_once()

    async def renewals(self, number: int) -> None:
        await until(lambda: self.store.renewals >= number)

    async def failures(self, number: int) -> None:
        await until(lambda: len(self.told.of(events.HeartbeatFailed)) >= number)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.heartbeat.run)
            await asyncio.sleep(0)
            yield
            tasks.cancel_scope.cancel()
