"""Work under leases: acquire, work in small steps, write under the fence, release. Some work is slow to stop."""

import asyncio
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from lease.core import Ticket
from lease.errors import LeaseNotAcquired, StoreUnavailable
from lease.grant_state import GrantState
from lease.model import Grant, Loss
from tests.checker.facts import Worked
from tests.support.acquiring import acquire_inside

from .client import Client
from .database import moment


@dataclass
class Signs:
    """The signs of life of all work, by grant."""

    uncounted: Container[Grant]
    """Their work cannot know that it should have ended."""
    seen: dict[Grant, list[datetime]] = field(default_factory=dict)

    def alive(self, grant: Grant, at: float) -> None:
        if grant in self.uncounted:
            return
        times = self.seen.setdefault(grant, [moment(at), moment(at)])
        times[1] = moment(at)

    def facts(self) -> list[Worked]:
        return [Worked(grant, began, last) for grant, (began, last) in self.seen.items()]


class Worker:
    """Does turns at random until it is told to come to an end; then one last turn under each name."""

    def __init__(self, random: Random, names: Sequence[str], signs: Signs, ends: float) -> None:
        self._random = random
        self._names = names
        self._signs = signs
        self._ends = ends
        self.waits_for: str | None = None

    async def __call__(self, client: Client) -> None:
        scale = client.given.timing.ttl
        while client.world() < self._ends:
            wait = self._random.choice([0.0, self._random.uniform(0, 2 * scale), None])
            longest = scale * self._random.choice([0.05, 0.3, 2.0])
            await self._turn(client, self._random.choice(self._names), wait, self._random.uniform(0, longest))
            await asyncio.sleep(self._random.uniform(0, scale / 10))
        for name in self._names:
            self.waits_for = name
            while not await self._turn(client, name, None, self._random.uniform(0, scale / 10)):  # noqa: ASYNC110 - for its turn
                await asyncio.sleep(client.given.timing.retry_wait)
        self.waits_for = None

    async def _turn(self, client: Client, name: str, wait: float | None, seconds: float) -> bool:
        try:
            state = await acquire_inside(client.core, Ticket(name, wait))
        except (LeaseNotAcquired, StoreUnavailable):
            return False
        work = asyncio.ensure_future(self._work(client, state, seconds))

        def stop(loss: Loss) -> None:
            client.world.tell(client.name, f"stops its work: {loss}")
            work.cancel()

        state.on_lost(stop)
        await asyncio.wait({work})
        with suppress(StoreUnavailable):
            await client.core.release(state)
        return True

    async def _work(self, client: Client, state: GrantState, seconds: float) -> None:
        stubborn = self._random.random() < 0.5
        timing = client.given.timing
        ends = client.machine.clock() + seconds
        try:
            while client.machine.clock() < ends and (stubborn or state.remaining() > 0):
                self._sign(client, state)
                if self._random.random() < 0.3:
                    await self._write(client, state.grant)
                await asyncio.sleep(self._random.uniform(0.05, 0.5) * timing.renew_every)
        except asyncio.CancelledError:
            if not stubborn:
                raise
            # It takes its time to end, and tries to write all the same.
            await asyncio.sleep(self._random.uniform(0, 0.9) * timing.kill_time)
            self._sign(client, state)
            asyncio.ensure_future(self._write(client, state.grant))  # noqa: RUF006 - as a request that is under way

    def _sign(self, client: Client, state: GrantState) -> None:
        """Note that this work is alive; beyond trust only if the process ran all the time, so that it could be told."""
        trusted_since = client.machine.true(state.trusted_until - client.given.timing.give_up)
        if state.remaining() > 0 or not client.stopped_since(trusted_since):
            self._signs.alive(state.grant, client.world())

    async def _write(self, client: Client, grant: Grant) -> None:
        with suppress(StoreUnavailable):
            await client.store.write(grant)
