"""One incarnation of one client: the real core on a machine of the simulation, and its workers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from lease import events
from lease.core import Core
from lease.grant_state import GrantState
from lease.model import Grant

from .database import Database
from .faults import STOPS, Conditions, Fault, Kind
from .machine import Machine
from .network import RemoteStore
from .world import World

Work = Callable[["Client"], Coroutine[Any, Any, None]]


class Client:
    """What the watchman looks at, and the worker uses."""

    def __init__(
        self,
        world: World,
        machine: Machine,
        database: Database,
        given: Conditions,
        faults: Sequence[Fault],
        *,
        heard: Callable[["Client", events.Event], None],
    ) -> None:
        self.world = world
        self.machine = machine
        self.given = given
        self.faults = faults
        self.store = RemoteStore(world, machine, database, given, faults)
        self.core = Core(
            self.store,
            given.timing,
            clock=machine.clock,
            listener=lambda event: heard(self, event),
            label=machine.name,
            holder=machine.name,  # one at random would not be the same again for the same seed
        )
        self.closed = False
        self._life: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.machine.name

    @property
    def states(self) -> dict[Grant, GrantState]:
        """What its heartbeat renews."""
        return self.core.heartbeat.held._states

    def acquires(self, name: str) -> bool:
        return name in {flight.name for flight in self.core.heartbeat.flights.under_way.copy()}

    def start(self, workers: "Sequence[Work]") -> None:
        """Start the core, then the workers, and close the core when all of them have ended."""
        self._life = self.machine.loop.create_task(self._live(workers))
        self._life.add_done_callback(self._ended)

    def _ended(self, life: "asyncio.Task[None]") -> None:
        if not life.cancelled() and life.exception() is not None:
            self.world.blame(f"{self.name} ended with {life.exception()!r}")

    async def _live(self, workers: "Sequence[Work]") -> None:
        await self.core.start()
        running = [asyncio.ensure_future(worker(self)) for worker in workers]
        for task in running:
            await task
        await self.core.close()
        self.closed = True

    def excused(self, moment: float) -> bool:
        """Tell whether a loss at that time has a fault to blame."""
        reach = self.given.timing.give_up / self.machine.rate
        return any(fault.severe and fault.began <= moment <= fault.ended + reach for fault in self.faults)

    def disturbed_until(self, moment: float) -> float:
        """Return the end of the last fault that had begun by then."""
        return max((min(fault.ended, moment) for fault in self.faults if fault.began <= moment), default=0.0)

    def faulty(self, moment: float) -> bool:
        return any(fault.kind is Kind.FAULTY and fault.at(moment) for fault in self.faults)

    def stopped_since(self, since: float) -> bool:
        """Tell whether it was paused or asleep at some time after ``since``."""
        now = self.world()
        return any(fault.kind in STOPS and fault.began <= now and fault.ended >= since for fault in self.faults)
