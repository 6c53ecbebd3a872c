"""The async client. Its calls run in the library's own thread; the caller's loop awaits answers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Self

import anyio

from . import events
from .cancellation import CancelledOnLoss, answer, done, uncut
from .clock import Clock, boottime
from .closing import note_holder
from .core import Core, Ticket
from .database.address import Address
from .doors import AsyncDoor, check_loop
from .durations import Duration, parse_duration
from .errors import LeaseError, LeaseNotAcquired
from .grant_state import lost_error
from .handle import Lease
from .heartbeat.flights import ANY_NAME, Flight
from .ledger import Caller
from .model import Break, Grant, LeaseRecord
from .runtime import Runtime
from .shortcut.shortcut import LoopShortcut
from .store import Store
from .threads import in_callback_thread
from .timing import LeaseTiming

__all__ = ["Acquisition", "Lease", "LeaseClient"]


class LeaseClient(AsyncDoor):
    """Acquires leases, and renews them from a heartbeat in a thread of its own.

    ``database`` is a URL, or a SQLAlchemy engine, and then it connects as that does; ``store``
    stands in for it in tests (`lease.testing`). ``on_event`` is called with each
    `lease.events.Event`, in a thread of its own; by default events are logged to the logger
    ``lease``. ``label`` is what others see of the holder (default: host and process id). Use it as
    ``async with``. One client per process may hold thousands of leases, all of them renewed by one
    statement.
    """

    def __init__(
        self,
        database: Address | None = None,
        *,
        schema: str | None = None,
        timing: LeaseTiming | None = None,
        on_event: events.Listener = events.log_event,
        label: str | None = None,
        store: Store | None = None,
        clock: Clock = boottime,
    ) -> None:
        self._runtime = Runtime(
            LoopShortcut,
            database,
            schema=schema,
            timing=timing,
            listener=on_event,
            label=label,
            store=store,
            clock=clock,
        )

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
    def holder(self) -> str:
        """The random id of this incarnation."""
        return self._runtime.core.holder

    @property
    def label(self) -> str:
        """What others see of the holder."""
        return self._runtime.core.label

    @property
    def timing(self) -> LeaseTiming:
        """The durations that this client works by."""
        return self._runtime.timing

    def heartbeat_age(self) -> float:
        """Return the seconds since the heartbeat's loop was last seen at work while something was
        held; 0 when nothing is.
        """
        return self._runtime.core.heartbeat.age()

    @asynccontextmanager
    async def hold(self, name: str, *, wait: Duration | None = 0) -> AsyncIterator[Lease]:
        """Hold ``name`` while the block runs, and release it after.

        Without ``wait`` it raises `LeaseNotAcquired` at once if another client holds it;
        ``wait="30s"`` waits that long, ``wait=None`` for ever. If the lease is lost, the task that
        entered the block is cancelled, as by `asyncio.timeout`, and `LeaseLost` with the cause is
        raised at the end of the block, also where another task leaves it. `StoreUnavailable` means
        that the database could not be asked.
        """
        ticket, seconds = Ticket(name), _seconds(wait)
        caller = self._begun(ticket)
        held = await self._acquire(ticket, seconds, caller)
        try:
            with CancelledOnLoss(held.on_lost):
                yield held
        finally:
            await self._leave(held, caller)
        if held.loss is not None:
            raise lost_error(held.loss)

    async def acquire(self, name: str, *, wait: Duration | None = 0) -> Lease:
        """Acquire ``name`` for a program that cannot use a block, which then releases it; ``wait`` as
        in `hold`. Its loss cancels nothing: watch ``lost``, or call ``ensure()``.
        """
        ticket, seconds = Ticket(name), _seconds(wait)
        caller = self._begun(ticket)
        held = await self._acquire(ticket, seconds, caller)
        caller.entry.is_settled = True  # the program has it
        return held

    def _begun(self, ticket: Ticket) -> Caller:
        """Return what stands for a caller that begins to acquire, in its frame alone."""
        return self._runtime.opened(partial(self._runtime.abandoning, ticket), asyncio.get_running_loop())

    async def _acquire(self, ticket: Ticket, seconds: float | None, caller: Caller) -> Lease:
        shortcut = self._runtime.shortcut
        try:
            state = None if shortcut is None else await shortcut.acquire(ticket)
            if state is None:
                acquiring = self._runtime.submit(
                    lambda core: core.acquire_for(ticket, seconds), None if seconds != 0 else 0.0
                )
                state = await done(acquiring)
            note_holder(state)
            return Lease(self._runtime, state)
        except LeaseError:
            caller.entry.is_settled = True
            raise
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True), suppress(LeaseError):  # a closed client has abandoned it
                await done(self._runtime.abandon(ticket))
                caller.entry.is_settled = True
            raise
        except BaseException:  # as where this coroutine is closed: it may await nothing more
            with suppress(LeaseError):
                self._runtime.abandon(ticket)
                caller.entry.is_settled = True
            raise

    async def try_acquire(self, name: str) -> Lease | None:
        """Acquire ``name`` if it is free or stale, otherwise return None. The caller releases it;
        its loss cancels nothing.
        """
        try:
            return await self.acquire(name)
        except LeaseNotAcquired:
            return None

    async def lead(self, name: str) -> AsyncIterator[Lease]:
        """Yield a lease each time this client becomes the leader ``name``, without end, as in
        ``async for held in client.lead("x")``.

        The body is not cancelled when the lease is lost; watch ``held.lost`` or call
        ``held.ensure()``, and leave the body then. After the body the lease is released, and the
        next turn waits for it again.
        """
        while True:
            ticket = Ticket(name)
            caller = self._begun(ticket)
            held = await self._acquire(ticket, None, caller)
            try:
                yield held
            finally:
                await self._leave(held, caller)

    async def read(self, name: str) -> LeaseRecord | None:
        """Return what the database has under ``name``, or None when it was never granted."""
        return await answer(self._runtime.submit(lambda core: core.read(name)))

    async def list(self, prefix: str = "") -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``, by name."""
        return await answer(self._runtime.submit(lambda core: core.list(prefix)))

    async def break_lease(self, name: str, reason: str, *, by: str | None = None) -> Break:
        """End the grant of another holder of ``name``, who hangs or is out of reach.

        Its fences fail at once; it is told with its next renewal, by whom (``by``, or this client's
        label) and for what reason, and loses the lease. The name is granted to the next when its work
        has ended, or its last ttl is over. A second break changes nothing and returns the first.
        `LeaseError` says that there is nothing to break, or why it cannot be done.
        """
        return await answer(self._runtime.submit(lambda core: core.break_lease(name, reason, by)))

    @asynccontextmanager
    async def acquiring(self) -> "AsyncIterator[Acquisition]":
        """Let a program grant in a transaction of its own (`lease.statements.grant`), under this
        client's `holder`.

        Open it before the transaction, and adopt in it what was granted. Meanwhile no grant is
        taken for an orphan (rule 6).
        """
        acquisition, sure = Acquisition(self._runtime), False
        try:
            await answer(self._runtime.call(acquisition.begin))
            yield acquisition
            sure = True
        finally:
            with anyio.CancelScope(shield=True):
                await answer(self._runtime.call(lambda core: acquisition.end(core, sure)))

    async def _leave(self, held: Lease, caller: Caller) -> None:
        """Release it at the end of its block."""
        if held.is_inherited:
            return
        if in_callback_thread():  # the garbage collector has ended the block there
            self._runtime.give_back(held.grant)
            return
        try:
            with anyio.CancelScope(shield=True):
                await held.release()
        except LeaseError as error:  # what the block did matters more; the grant ends by its ttl
            if held.loss is None:  # of a lost one, its closing client has told already
                self._runtime.core.notify(events.ReleaseFailed(held.grant, str(error)))
        except BaseException:  # it was cut short, or ended where nothing can be awaited
            self._runtime.give_back(held.grant)
            raise
        self._runtime.closed(caller)


def _seconds(wait: Duration | None) -> float | None:
    return None if wait is None else parse_duration(wait)


class Acquisition:
    """An acquisition under way in the caller's own transaction."""

    def __init__(self, runtime: Runtime[LoopShortcut]) -> None:
        self._runtime = runtime
        self._sent = runtime.clock()
        self._flight: Flight | None = None

    async def adopt(self, grants: Sequence[Grant]) -> list[Lease]:
        """Renew these grants from now on. Their trust counts from before the transaction was sent
        (rule 2).
        """
        adopted = self._runtime.call(lambda core: [core.heartbeat.adopt(grant, self._sent) for grant in grants])
        return [Lease(self._runtime, state) for state in await answer(adopted)]

    def begin(self, core: Core) -> None:
        """Begin, in the library's thread."""
        self._flight = core.heartbeat.begin_flight(ANY_NAME)

    def end(self, core: Core, sure: bool) -> None:
        """End, in the library's thread, also when the caller was cancelled as it began."""
        if self._flight is not None:
            core.heartbeat.end_flight(self._flight, sure)
