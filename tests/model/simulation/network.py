"""The way from a client to the database: what is asked for may come late or never, and so may the answer."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from lease.errors import StoreUnavailable
from lease.model import Break, Grant, LeaseRecord, Renewal
from lease.store import Wait
from lease.waiters import ahead_of

from .database import Database, now_of
from .faults import Conditions, Fault, Kind
from .machine import Machine
from .world import Broken, World

T = TypeVar("T")


class RemoteStore:
    """The database as one client has it (`lease.store.Store`). Each call is bounded by the client's clock."""

    def __init__(
        self, world: World, machine: Machine, database: Database, given: Conditions, faults: Sequence[Fault]
    ) -> None:
        self._world = world
        self._machine = machine
        self._database = database
        self._given = given
        self._faults = faults

    def admitted(self) -> AbstractAsyncContextManager[None]:
        return self._database.admitted()

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        return await self._call(lambda: now_of(self._database.grant(name, holder, label, ttl, queue=queue)))

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        if self._is(Kind.FAULTY):
            if self._world.random.random() < 0.5:
                raise RuntimeError("what nobody expects")
            raise asyncio.CancelledError  # an attempt that was cut off can raise it just so
        asked_at = self._world()

        def renew() -> Renewal:
            self._database.asked_at = asked_at
            return now_of(self._database.renew(holder, ttl, expected, besides))

        return await self._call(renew)

    async def release(self, grant: Grant) -> bool:
        return await self._call(lambda: now_of(self._database.release(grant)))

    async def break_grant(self, grant: Grant, by: str, reason: str) -> Break | None:
        return await self._call(lambda: now_of(self._database.break_grant(grant, by, reason)))

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        return await self._call(lambda: now_of(self._database.release_all(holder, besides)))

    async def read(self, name: str) -> LeaseRecord | None:
        return await self._call(lambda: now_of(self._database.read(name)))

    async def list(self, prefix: str) -> list[LeaseRecord]:
        return await self._call(lambda: now_of(self._database.list(prefix)))

    def waiting(self, name: str, holder: str) -> Wait:
        return _Wait(self, name, holder)

    async def look(self, name: str, holder: str, seconds: float, ahead: int) -> None:
        deadline = self._machine.clock() + seconds
        while (left := deadline - self._machine.clock()) > 0:
            await asyncio.sleep(min(left, self._given.timing.attempt_timeout * (ahead + 1)))
            record = await self.read(name)
            if record is None or not record.live:
                return
            ahead = ahead_of(holder, record.waiting)

    async def leave(self, name: str, holder: str) -> None:
        await self._call(lambda: now_of(self._database.leave(name, holder)))

    async def write(self, grant: Grant) -> bool:
        """Write in a transaction that is fenced with ``grant``. The work has a line of its own, which is worse at times."""
        slow = self._world.random.random() < 0.1
        late = self._world.random.uniform(0, 3 * self._given.timing.ttl) if slow else 0.0
        return await self._call(lambda: self._database.write(grant), late)

    async def close(self) -> None:
        pass

    async def _call(self, operation: Callable[[], T], late: float = 0.0) -> T:
        reply: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._send(operation, reply, late)
        try:
            async with asyncio.timeout(self._given.timing.attempt_timeout):
                return await reply
        except TimeoutError:
            raise StoreUnavailable("no answer in time") from None

    def _send(self, operation: Callable[[], T], reply: "asyncio.Future[T]", late: float) -> None:
        self._machine.sends()
        random = self._world.random
        took = random.uniform(0.02, 1.0) * self._given.round_trip
        there = took * random.random()
        if self._is(Kind.REFUSED):
            self._deliver(reply, StoreUnavailable("refused"), took)
        elif self._is(Kind.PARKED):
            late += random.uniform(0, 3 * self._given.timing.ttl) * random.random()
        if not self._is(Kind.REFUSED, Kind.SILENT):
            self._world.at(self._world() + late + there, lambda: self._arrive(operation, reply, took - there))

    def _arrive(self, operation: Callable[[], T], reply: "asyncio.Future[T]", back: float) -> None:
        if self._is(Kind.SILENT, Kind.REFUSED):
            return
        try:
            answer: T | Exception = operation()
        except Broken:
            raise
        except Exception as error:  # noqa: BLE001 - the client's to judge
            answer = error
        if not self._is(Kind.DEAF):
            self._deliver(reply, answer, back)

    def _deliver(self, reply: "asyncio.Future[T]", answer: T | Exception, back: float) -> None:
        def arrives() -> None:
            if self._machine.alive and not self._is(Kind.SILENT, Kind.DEAF):
                self._machine.loop.call_soon(_settle, reply, answer)

        self._world.at(self._world() + back, arrives)

    def _is(self, *kinds: Kind) -> bool:
        return any(fault.kind in kinds and fault.at(self._world()) for fault in self._faults)


class _Wait:
    def __init__(self, store: RemoteStore, name: str, holder: str) -> None:
        self._store = store
        self._name = name
        self._holder = holder

    async def __call__(self, seconds: float, ahead: int) -> None:
        await self._store.look(self._name, self._holder, seconds, ahead)

    def close(self) -> None:
        pass


def _settle(reply: "asyncio.Future[T]", answer: T | Exception) -> None:
    if reply.done():
        return
    if isinstance(answer, Exception):
        reply.set_exception(answer)
    else:
        reply.set_result(answer)
