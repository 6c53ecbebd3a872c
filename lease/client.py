"""The async client: acquires and releases in the caller's event loop where it can; for all else that awaits the library's
thread.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import anyio

from .calls.acquiring import acquire, begin
from .calls.releasing import ReleaseUnderWay
from .calls.steps import take_in_loop
from .cancellation import CancelledOnLoss, answer, uncut
from .core import Ticket
from .durations import Duration
from .errors import LeaseError, LeaseNotAcquired
from .grant_state import lost_error
from .handle import Lease
from .heartbeat.heartbeat import ANY_NAME, Flight
from .ledger import Caller
from .model import Break, Grant, LeaseRecord
from .runtime import AsyncDoor, Runtime, check_loop
from .threads import in_callback_thread

__all__ = ["Acquisition", "Lease", "LeaseClient"]


class LeaseClient(AsyncDoor):
    """Acquires leases for asyncio, and renews them from a thread of its own.

        async with LeaseClient("postgresql://…") as client:
            async with client.hold("daily-report", wait="30s") as held:
                ...

    One client per process is enough: it renews thousands of leases with one statement.

    - ``database``: a URL (``postgresql://…`` or ``sqlite:///file.db``), or a SQLAlchemy engine, whose
      way to connect the client uses.
    - ``schema``: the schema of the table on PostgreSQL; by default ``public``.
    - ``timing``: the ttl and the other durations; by default `LeaseTiming()`, with a ttl of 15 s.
    - ``on_event``: is called with each event (`lease.events`), in a thread of its own; by default
      events are logged to the logger ``lease``.
    - ``label``: what others see of this holder; by default the host and the process id.
    - ``store``, ``clock``: replace the database and the clock in tests (`lease.testing`).

    A wrong argument raises `LeaseError`. On SQLite, entering the block creates the table, and raises `StoreUnavailable`
    if the file cannot be used. After ``os.fork`` every call raises `LeaseError`: make a client in the child.
    """

    async def __aenter__(self) -> Self:
        check_loop()
        try:
            await answer(self._runtime.open())
        except BaseException:
            self._runtime.stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._runtime.is_inherited:
            return
        closing = self._runtime.close()
        try:
            with anyio.CancelScope(shield=True):
                await uncut(closing)
        finally:
            self._runtime.stop()

    @property
    def label(self) -> str:
        """What others see of the holder."""
        return self._runtime.core.label

    def heartbeat_age(self) -> float:
        """Return the seconds since the heartbeat last ran; 0 while nothing is held."""
        return self._runtime.core.heartbeat.age()

    @asynccontextmanager
    async def hold(self, name: str, *, wait: Duration | None = 0) -> AsyncIterator[Lease]:
        """Hold ``name`` while the block runs, and release it afterwards.

        By default it raises `LeaseNotAcquired` at once if another client holds the lease. ``wait="30s"``
        waits for up to 30 seconds, ``wait=None`` without limit. It raises `StoreUnavailable` if the
        database does not answer, and `InvalidName` for a name that cannot be acquired.

        If the lease is lost, the task that entered the block is cancelled, as by `asyncio.timeout`. The
        end of the block then raises `LeaseLost` with the cause, in whichever task leaves it.
        """
        ticket = Ticket(name, wait)
        with begin(self._runtime.means, ticket, asyncio.get_running_loop()) as caller:
            state = await take_in_loop(acquire(self._runtime.means, ticket), caller, waits=True)
            held = Lease(self._runtime, state)
            try:
                with CancelledOnLoss(state.on_lost):
                    yield held
            finally:
                await self._leave(held, caller)
        if held.loss is not None:
            raise lost_error(held.loss)

    async def acquire(self, name: str, *, wait: Duration | None = 0) -> Lease:
        """Acquire ``name`` without a block: call ``release()`` yourself. ``wait`` and errors are those of `hold`.

        A loss cancels nothing: check ``held.lost``, or call ``held.ensure()``.
        """
        ticket = Ticket(name, wait)
        with begin(self._runtime.means, ticket, asyncio.get_running_loop()) as caller:
            held = Lease(self._runtime, await take_in_loop(acquire(self._runtime.means, ticket), caller, waits=True))
            caller.close()  # the program has it
            return held

    async def try_acquire(self, name: str) -> Lease | None:
        """Acquire ``name`` if it is free or stale; otherwise return None. Release it yourself.

        A loss cancels nothing. Raises `StoreUnavailable` if the database does not answer.
        """
        try:
            return await self.acquire(name)
        except LeaseNotAcquired:
            return None

    async def lead(self, name: str) -> AsyncIterator[Lease]:
        """Yield a lease each time this client becomes the leader ``name``, without end:
        ``async for held in client.lead("mailer")``.

        A loss does not cancel the body: check ``held.lost`` or call ``held.ensure()``, and leave the
        body then. At the end of the body the lease is released, and the next turn waits for it again.
        """
        while True:
            ticket = Ticket(name, wait=None)
            with begin(self._runtime.means, ticket, asyncio.get_running_loop()) as caller:
                state = await take_in_loop(acquire(self._runtime.means, ticket), caller, waits=True)
                held = Lease(self._runtime, state)
                try:
                    yield held
                finally:
                    await self._leave(held, caller)

    async def read(self, name: str) -> LeaseRecord | None:
        """Return the lease ``name`` as the database has it, or None if it was never granted."""
        return await answer(self._runtime.submit(lambda core: core.read(name)))

    async def list(self, prefix: str = "") -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``, sorted by name."""
        return await answer(self._runtime.submit(lambda core: core.list(prefix)))

    async def break_lease(self, name: str, reason: str, *, by: str | None = None) -> Break:
        """End the grant of another holder of ``name`` that hangs or cannot be reached.

        The holder's fences fail at once. At its next renewal it learns who broke the lease (``by``, by
        default this client's label) and for what ``reason``, and loses it. The next client gets the name
        when that work has ended, at the latest when the holder's last ttl is over.

        A second break changes nothing and returns the first one. Raises `LeaseError` if there is nothing
        to break or if it is not possible, and `StoreUnavailable` if the database does not answer.
        """
        return await answer(self._runtime.submit(lambda core: core.break_lease(name, reason, by)))

    @asynccontextmanager
    async def acquiring(self) -> "AsyncIterator[Acquisition]":
        """Grant in a transaction of your own (`lease.statements.grant`), under this client's `holder`.

        Open this block before the transaction, and call ``adopt`` in it with what was granted. In the
        block, no grant under this holder is treated as an orphan (rule 6).
        """
        self._runtime.means.loop.check()
        flights, flight = self._runtime.core.heartbeat.flights.under_way, Flight(ANY_NAME)
        acquisition = Acquisition(self._runtime, self._runtime.clock())
        try:
            flights.add(flight)
            yield acquisition
            flights.discard(flight)
        except BaseException:  # something may have been granted that nobody adopts
            with anyio.CancelScope(shield=True):
                await answer(self._runtime.call(lambda core: core.heartbeat.end_flight(flight, sure=False)))
            raise

    async def _leave(self, held: Lease, caller: Caller) -> None:
        if held.is_inherited:
            return
        if in_callback_thread():  # the garbage collector has ended the block there
            caller.let_go()
            return
        try:
            with anyio.CancelScope(shield=True):
                await held._end(ReleaseUnderWay.steps_at_the_end_of_a_block)  # noqa: SLF001 - the library's own
        except BaseException as error:  # it may have been cut short, or ended where nothing can be awaited
            caller.let_go()
            if not isinstance(error, LeaseError) or not self._runtime.means.loop.is_over:  # else its client is closed
                raise
        caller.close()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Acquisition:
    """An acquisition in the caller's own transaction, from `LeaseClient.acquiring`."""

    _runtime: Runtime
    _sent: float

    async def adopt(self, grants: Sequence[Grant]) -> list[Lease]:
        """Renew these grants from now on, and return their leases, whose trust counts from the block's start (rule 2)."""
        adopted = self._runtime.call(lambda core: [core.heartbeat.adopt(grant, self._sent) for grant in grants])
        return [Lease(self._runtime, state) for state in await answer(adopted)]
