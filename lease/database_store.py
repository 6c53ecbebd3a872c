"""The store of leases in a database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from . import statements
from .database.address import Address
from .database.backend import backend_of
from .database.connections import Route, route_to
from .database.driver_errors import explain, sqlstate
from .database.file_systems import network_file_system
from .database.held.statement import Call
from .database.opening import open_database
from .database.wires import Wire
from .durations import format_duration
from .errors import LeaseError, StoreUnavailable
from .events import OnNetwork
from .model import Break, Grant, LeaseRecord, Renewal, is_turn_of
from .schema import create_tables
from .store import Wait
from .timing import LeaseTiming
from .waiters import Awaited, Waiters, ahead_of

if TYPE_CHECKING:
    from .database.listening.releases import ReleaseListener


_CONNECTIONS = 4
"""How many a client has besides those of its heartbeat and its callers; acquisitions leave one to the rest."""
_WIRES = 2
"""How many its callers have, where there can be more than one writer; who finds none in time is served by the others."""
_LOOK = 0.01
"""Seconds between two looks of the first waiter; the second looks half as often, and so on."""
_READ_AT_ONCE = 500
"""How many names are read at one time; the heartbeat runs in the same event loop."""
_REST = 3
"""How many times as long as a read took no other begins: thousands who wait leave time to all else."""
_AT_ONCE = 100
"""How many leave their queues in one transaction where there is one writer; a renewal may wait for that."""


class DatabaseStore:
    """The leases in PostgreSQL or SQLite. Renewals have a connection of their own (rule 8)."""

    def __init__(self, address: Address, timing: LeaseTiming, schema: str | None = None) -> None:
        self._lock_wait = timing.attempt_timeout / 4
        self._timeout = timing.attempt_timeout
        route = route_to(address, schema)
        self._renewals = open_database(route, timeout=self._timeout, connections=1, application="leased heartbeat")
        self._others = open_database(route, timeout=self._timeout, connections=_CONNECTIONS, application="leased")
        self._acquiring = self._others.capacity_before(_CONNECTIONS - 1)
        self.url = self._others.url
        self._route = route
        self._backend = backend_of(self.url)
        self.awaited = Awaited()
        self._leaving: dict[tuple[str, str], None] = {}
        self._one_leaves = asyncio.Lock()
        self.queues_at_once = self._backend.has_one_writer
        """What is asked for with ``queue`` is granted or gets its place in one transaction."""
        self.most_wires = 1 if self._backend.has_one_writer else _WIRES
        self._turns = _listener(route) if self._backend.listens else TurnPoller(self._read)

    @property
    def identity(self) -> str | None:
        """Which database it is (`lease.database.address`)."""
        return self._route.identity

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        try:
            await self._acquiring.take()
        except TimeoutError as error:
            raise explain(error, self.url) from None
        try:
            yield
        finally:
            self._acquiring.give_back()

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        """Do what `calls.acquiring` does over a wire, for who has none, and where that is not enough: a row is missing,
        or somebody dead is to be passed over.
        """
        await self._renewals.connect()  # first: what a server has no connection left to renew would be lost
        if not self.awaited.take(name) and not (queue and self._backend.has_one_writer):
            at_once = await self._others.write_alone(statements.granting(name, holder, ttl, label=label), first=True)
            if at_once is not None:
                return at_once
        try:
            return await self._grant_or_queue(name, holder, label, ttl, queue=queue)
        except StoreUnavailable as error:
            if _is_locked(error.__cause__):
                return None
            raise

    async def _grant_or_queue(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool
    ) -> Grant | LeaseRecord | None:
        def unit(connection: Connection) -> Grant | LeaseRecord | None:
            wait = self._lock_wait if queue else None
            granted = statements.grant(connection, [name], holder, ttl, label=label, queue=queue, lock_wait=wait)
            return granted[0] if granted else statements.reading([name])(connection).get(name)

        if queue:
            queued = await self._queued(name, holder, label, ttl)
            if isinstance(queued, Grant):
                return queued
            if queued is not None and queued.keeps and not is_turn_of(holder, queued.record):
                return queued.record
            at_once = await self._others.write_alone(statements.granting(name, holder, ttl, label=label), first=True)
            if at_once is not None:  # another who took a place had locked the row before
                return at_once
        return await self._others.write(unit, first=True)

    async def _queued(self, name: str, holder: str, label: str, ttl: float) -> Grant | statements.Queued | None:
        """Give it a place; where there is one writer, unless it can be granted in the same transaction."""
        queueing = self.queueing(name, holder, label)
        if not self._backend.has_one_writer:
            return await self._others.write_alone(queueing, first=True)
        granting = statements.granting(name, holder, ttl, label=label)
        return await self._others.write(lambda connection: granting(connection) or queueing(connection), first=True)

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        now = asyncio.get_running_loop().time
        end = now() + self._timeout  # all of it is one attempt (rule 3)
        try:
            renewed = await self._renewals.write_alone(statements.renewing(holder, ttl, self._lock_wait, besides))
        except StoreUnavailable as error:
            if not _is_locked(error.__cause__):
                raise
            unlocked = statements.renewing_unlocked(holder, ttl, besides)
            renewed = await self._renewals.write_alone(unlocked, timeout=max(0.0, end - now()))
        missing = [grant.name for grant in expected if (grant.name, grant.token) not in renewed.pairs]
        if not missing:
            return renewed
        found = await self._renewals.read_alone(statements.reading(missing), timeout=max(0.0, end - now()))
        return Renewal(renewed.pairs, found, renewed.database_time or _time_of(found.values()))

    async def release(self, grant: Grant) -> bool:
        done = await self._others.write_alone(statements.releasing(grant, self._timeout * 0.9))
        if done.released:
            await self.wake(grant.name, done.waiting)
        else:  # the answer to a release that was sent before may have been lost, and with it who waits
            await self.wake_if_free(grant.name)
        return done.released

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        ended = await self._others.write(lambda connection: statements.release_all(connection, holder, besides))
        for grant, waiting in ended.items():
            await self.wake(grant.name, waiting)
        return list(ended)

    async def break_grant(self, grant: Grant, by: str, reason: str) -> Break | None:
        patience = self._timeout * 0.9

        def unit(connection: Connection) -> Break | None:
            try:
                return statements.break_grant(connection, grant, by=by, reason=reason, lock_wait=patience)
            except OperationalError as error:
                if sqlstate(error) != "55P03":  # lock_not_available
                    raise
                raise LeaseError(
                    f"lease {grant.name!r} cannot be broken yet: a transaction that is fenced with it has been open for "
                    f"{format_duration(patience)}; break it again when that has ended, or end it in the database"
                ) from error

        return await self._others.write(unit)

    def waiting(self, name: str, holder: str) -> Wait:
        return self._turns.waiting(name, holder)

    def queueing(self, name: str, holder: str, label: str) -> Call[statements.Queued | None]:
        """Return the call that takes a place in the queue of ``name``."""
        return statements.queueing(name, holder, label, self._lock_wait)

    async def leave(self, name: str, holder: str) -> None:
        if not self._backend.has_one_writer:
            await self._leave([name], holder)  # by itself: it may have to wait for the row
            return
        self._leaving[name, holder] = None
        async with self._one_leaves:
            if (name, holder) in self._leaving:  # nobody before has taken it along
                together = [one for one, of in islice(self._leaving, _AT_ONCE) if of == holder]
                for one in together:
                    del self._leaving[one, holder]
                await self._leave(together, holder)

    async def _leave(self, names: Sequence[str], holder: str) -> None:
        left = await self._others.write(
            lambda connection: statements.leave_queues(connection, names, holder, lock_wait=self._lock_wait)
        )
        for name, waiting in left.items():
            await self.wake(name, waiting)

    async def wake(self, name: str, waiting: Waiters) -> None:
        """Notify after the commit of a release, by itself, and only where somebody waits (rule 15), who
        would also look again without it.
        """
        with suppress(StoreUnavailable):
            for call in self.wakes(name, waiting):
                await self._others.write_alone(call)

    async def wake_if_free(self, name: str) -> None:
        """Wake whoever waits for what is free, as nobody may have heard that it was released."""
        with suppress(StoreUnavailable):
            record = await self.read(name)
            if record is not None and record.holder is None:
                await self.wake(name, record.waiting)

    def wakes(self, name: str, waiting: Waiters) -> list[Call[None]]:
        """Return what wakes those who wait, for whoever released it: nothing, or one call."""
        if not waiting:
            return []
        self.awaited.add(name)
        return [statements.notifying(name, waiting)] if self._backend.listens else []

    async def wire(self) -> Wire | None:
        """Return one more connection (see `lease.database.database.OwnDatabase.wire`)."""
        await self._renewals.connect()  # first: what a server has no connection left to renew would be lost
        return await self._others.wire()

    async def read(self, name: str) -> LeaseRecord | None:
        return (await self._read([name])).get(name)

    async def _read(self, names: Sequence[str]) -> dict[str, LeaseRecord]:
        return await self._others.read_alone(statements.reading(names))

    async def list(self, prefix: str) -> list[LeaseRecord]:
        return await self._others.read(lambda connection: statements.list_prefix(connection, prefix))

    async def prepare(self) -> None:
        """Create the tables where the database is embedded; elsewhere that is a step of its own
        (`lease.create_tables`, a migration).
        """
        if self._backend.is_embedded:
            await self._others.write(create_tables)

    def on_network(self) -> OnNetwork | None:
        """Return that the database is a file on a network file system, if it is."""
        file = self._backend.file(self.url)
        if file is None or (kind := network_file_system(file)) is None:
            return None
        return OnNetwork(file, kind)

    async def close(self) -> None:
        await self._turns.close()
        await self._renewals.close()
        await self._others.close()


def _listener(route: Route) -> "ReleaseListener":
    from .database.listening.releases import ReleaseListener  # noqa: PLC0415 - its driver is loaded only where there is one

    return ReleaseListener(route, statements.CHANNEL)


class _Poll:
    """One who waits; it is looked at now and then while it does."""

    def __init__(self, poller: "TurnPoller", name: str, holder: str) -> None:
        self.name = name
        self.holder = holder
        self.turn: asyncio.Future[None]
        self.timer: asyncio.TimerHandle
        self._poller = poller

    async def __call__(self, seconds: float, ahead: int) -> None:
        self.turn = asyncio.get_running_loop().create_future()
        self._poller.look_later(self, ahead)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.turn
        finally:
            self._poller.forget(self)

    def close(self) -> None:
        """Do nothing: nobody looks at one who does not wait."""


class TurnPoller:
    """The wait for one's turn on SQLite, which announces nothing: a look now and then, with ``read``. Thousands may wait,
    each for another name: what is due is read together.
    """

    def __init__(self, read: Callable[[Sequence[str]], Awaitable[Mapping[str, LeaseRecord]]]) -> None:
        self._read = read
        self._due: dict[_Poll, None] = {}
        self._reading: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    def waiting(self, name: str, holder: str) -> Wait:
        return _Poll(self, name, holder)

    def forget(self, wait: _Poll) -> None:
        self._due.pop(wait, None)
        wait.timer.cancel()

    def look_later(self, wait: _Poll, ahead: int) -> None:
        """Look for one who has so many before it."""
        wait.timer = asyncio.get_running_loop().call_later(_LOOK * (ahead + 1), self._is_due, wait)

    def _is_due(self, wait: _Poll) -> None:
        self._due[wait] = None
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_due())

    async def _read_due(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            while waits := list(islice(self._due, _READ_AT_ONCE)):
                for wait in waits:
                    del self._due[wait]
                began = now()
                await self._look_at(waits)
                await asyncio.sleep(_REST * (now() - began))
        finally:
            self._reading = None

    async def _look_at(self, waits: Sequence[_Poll]) -> None:
        found: Mapping[str, LeaseRecord] = {}
        with suppress(Exception):  # the next attempt of each finds out
            found = await self._read([wait.name for wait in waits])
        for wait in waits:
            if wait.turn.done():  # it waits no more
                continue
            record = found.get(wait.name)
            if record is None or is_turn_of(wait.holder, record):
                wait.turn.set_result(None)
            else:
                self.look_later(wait, ahead_of(wait.holder, record.waiting))


def _time_of(records: Iterable[LeaseRecord]) -> float | None:
    """Return the database's wall clock when these were read, if any of them tells."""
    told = ((one.granted_at, one.held_for) for one in records)
    return next((at.timestamp() + held for at, held in told if at is not None and held is not None), None)


def _is_locked(error: BaseException | None) -> bool:
    return isinstance(error, DBAPIError) and sqlstate(error) == "55P03"  # lock_not_available
