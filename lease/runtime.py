"""The runtime behind every client: the library's thread, and in it the core; and what the two clients have in common, with
the doors by which each is not entered.
"""

import asyncio
import atexit
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar, cast

from . import events
from .background import BackgroundLoop
from .calls.steps import Direct, Means, WirePool
from .clock import Clock, DrivenClock, boottime
from .core import Core, held_here
from .database.address import Address
from .database_store import DatabaseStore
from .delivery import Delivery
from .errors import LeaseError
from .events import Event
from .fences.proof import Home
from .grant_state import GrantState
from .ledger import CallLedger
from .model import LONGEST_LABEL, check_line
from .store import Store
from .threads import refuse_green_threads
from .timing import LeaseTiming, check_timing

T = TypeVar("T")


class Runtime:
    """Runs what clients ask of the core in the library's thread; each call returns a future that
    any thread can wait for.
    """

    def __init__(
        self,
        database: Address | None,
        *,
        timing: LeaseTiming | None,
        listener: events.Listener,
        label: str | None,
        store: Store | None,
        clock: Clock,
        schema: str | None = None,
    ) -> None:
        if (database is None) == (store is None):
            raise LeaseError("a LeaseClient needs the URL of a database (or an engine), or a store, but not both")
        if schema is not None and store is not None:
            raise LeaseError("a schema belongs to a database, but this LeaseClient has a store; leave the schema out")
        self._database = database
        self._schema = schema
        self._store = store
        self._listener = events.check_listener(listener)
        self._label = None if label is None else check_line("label of a LeaseClient", label, LONGEST_LABEL)
        self.timing = check_timing(timing)
        self.clock = clock
        self._located: DatabaseStore | None = None
        self._loop: BackgroundLoop | None = None
        self._delivery: Delivery | None = None
        self._delivered: asyncio.Future[None] | None = None
        self._core: Core | None = None
        self._means: Means | None = None

    def open(self) -> "Future[None]":
        """Start the thread and the heartbeat."""
        if self._loop is not None:
            raise LeaseError("this client is open already, or was used before; make a new LeaseClient")
        refuse_green_threads()
        self._loop = BackgroundLoop("lease-heartbeat", self.clock, self._fail)
        if not isinstance(self.clock, DrivenClock):
            # A test that moves time sees its events at once; and no time passes by itself at its exit.
            self._delivery = Delivery(self._listener)
            atexit.register(self._close_at_exit)
        return self._loop.submit(partial(self._open, self._loop))

    def _fail(self, error: Exception) -> None:
        if self._core is not None:
            self._core.fail(error)

    async def _open(self, loop: BackgroundLoop) -> None:
        direct = found = None
        if self._database is not None:
            store = DatabaseStore(self._database, self.timing, self._schema)
            try:
                await store.prepare()
            except BaseException:
                await store.close()
                raise
            self._store = self._located = store
            found = store.on_network()
            if self._delivery is not None:
                direct = Direct(store, WirePool(loop, store.wire, self.timing.attempt_timeout, store.most_wires))
        listener = self._listener if self._delivery is None else self._delivery.put
        self._core = Core(
            cast("Store", self._store),
            self.timing,
            clock=self.clock,
            listener=listener,
            label=self._label,
            before_closing=None if direct is None else direct.pool.end,
        )
        await self._core.start()
        if found is not None:
            self._core.notify(found)
        self._means = Means(
            self._core, loop, CallLedger(loop, looks=self._delivery is not None), partial(self._notify, loop), direct
        )

    @property
    def home(self) -> Home | None:
        """The database of the leases; None where they are in a store of another kind."""
        return None if self._located is None else Home(self._located.url, self._located.identity)

    def close(self) -> "Future[None]":
        """Lose, stop and release what is held, and stop the heartbeat; then call `stop`. Whose work
        was begun here is not waited for: it waits for this.
        """
        waiting = held_here()
        try:
            return self.submit(lambda core: self._close(core, waiting), patience=1.0)
        except LeaseError:
            if self._loop is None or not self._loop.is_over:
                raise
            closed: Future[None] = Future()
            closed.set_result(None)
            return closed

    async def _close(self, core: Core, waiting: Collection[GrantState]) -> None:
        await core.close(waiting)
        if self._delivery is not None:
            if self._delivered is None:
                # Once, so that all who close end together: the first of them to end stops the loop.
                self._delivered = asyncio.get_running_loop().run_in_executor(None, self._delivery.close)
            await asyncio.shield(self._delivered)

    def _close_at_exit(self) -> None:
        """Close a client that its program left open, so that it leaves no place in a queue, and what it
        held is released, or told and left to its ttl.
        """
        try:
            with suppress(LeaseError, TimeoutError):
                self.close().result(self.timing.kill_time + self.timing.give_up + self.timing.attempt_timeout)
        finally:
            self.stop()

    def stop(self) -> None:
        atexit.unregister(self._close_at_exit)
        if self._loop is not None:
            self._loop.stop()
        if self._delivery is not None:
            self._delivery.close()

    @property
    def is_inherited(self) -> bool:
        """Whether all of it is another process's, which has forked this one: nothing here ends it."""
        return self._loop is not None and self._loop.is_inherited

    @property
    def means(self) -> Means:
        """What its callers share with the library's thread."""
        if self._means is None:
            raise LeaseError("this client is not open: use it as `with LeaseClient(...) as client` (or `async with`)")
        return self._means

    @property
    def core(self) -> Core:
        return self.means.core

    def _notify(self, loop: BackgroundLoop, event: Event) -> None:
        """Deliver an event of a caller's own thread. It goes by the library's thread, as a signal's
        handler may stop the caller's in the midst of this, and wait for that one.
        """
        if self._delivery is not None and self._delivery.wants(event):
            loop.soon(partial(self.core.notify, event))

    def submit(self, work: Callable[[Core], Coroutine[Any, Any, T]], patience: float | None = 0.0) -> "Future[T]":
        """Begin ``work`` with the core, in the library's thread (see `BackgroundLoop.submit`)."""
        means = self.means
        return means.loop.submit(partial(work, means.core), patience)

    def forget(self, state: GrantState) -> None:
        """Renew a grant no longer that its holder has released in a transaction of its own; for any thread."""
        self.core.heartbeat.forget(state)
        if self.core.is_closed:  # then it is waited for
            self.means.loop.check()
            self.means.loop.soon(partial(self.core.forget, state))

    def call(self, step: Callable[[Core], T]) -> "Future[T]":
        """Run ``step`` with the core, in the library's thread; nothing else there runs meanwhile."""

        async def called(core: Core) -> T:
            return step(core)

        return self.submit(called)


# The doors of the two clients


class _Door:
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
            database,
            schema=schema,
            timing=timing,
            listener=on_event,
            label=label,
            store=store,
            clock=clock,
        )

    @property
    def holder(self) -> str:
        """The random id of this client; a new client has another one."""
        return self._runtime.core.holder

    @property
    def timing(self) -> LeaseTiming:
        """The durations that this client uses."""
        return self._runtime.timing


class AsyncDoor(_Door):
    """The door of the async client, for those who come to it as to the sync one, or without asyncio."""

    def __enter__(self) -> NoReturn:
        raise LeaseError("this LeaseClient is async: enter it with `async with`, or use lease.sync.LeaseClient")

    def __exit__(self, *error: object) -> None:
        """Stand here for ``with``, which looks for it first."""


class SyncDoor(_Door):
    """The door of the sync client, for those who come to it as to the async one."""

    async def __aenter__(self) -> NoReturn:
        raise LeaseError("this LeaseClient is sync: enter it with `with`, or use lease.LeaseClient for `async with`")

    async def __aexit__(self, *error: object) -> None:
        """Stand here for ``async with``, which looks for it first."""


def check_loop() -> None:
    """Raise `LeaseError` where no event loop of asyncio runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise LeaseError(
            "the async LeaseClient needs a running asyncio event loop, and there is none here (trio has its "
            "own): use lease.sync.LeaseClient, with trio in threads (trio.to_thread.run_sync)"
        ) from None
