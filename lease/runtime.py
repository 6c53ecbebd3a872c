"""What stands behind every client: the library's thread, and in it the core."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

from sqlalchemy import URL

from . import events
from .background import BackgroundLoop
from .clock import Clock
from .core import Core, Ticket
from .database.address import Address
from .errors import LeaseError
from .grant_state import GrantState
from .model import Grant, LeaseRecord
from .store import DatabaseStore, Store
from .timing import LeaseTiming
from .verdicts import ANY_NAME


class Runtime:
    """Begins calls of the core in the library's thread; each returns a future that any thread can wait for."""

    def __init__(
        self,
        database: Address | None,
        *,
        timing: LeaseTiming,
        listener: events.Listener,
        label: str | None,
        store: Store | None,
        clock: Clock,
    ) -> None:
        if (database is None) == (store is None):
            raise LeaseError("a LeaseClient needs the URL of a database (or an engine), or a store, and not both")
        self._database = database if store is None else None
        self._store = store
        self._listener = listener
        self._label = label
        self.timing = timing
        self.clock = clock
        self.home: URL | None = None
        self._loop: BackgroundLoop | None = None
        self._core: Core | None = None

    def open(self) -> "Future[None]":
        """Start the thread and the heartbeat."""
        if self._loop is not None:
            raise LeaseError("this client is open already, or was used before; make a new LeaseClient")
        self._loop = BackgroundLoop("lease-heartbeat")
        return self._loop.submit(self._open())

    async def _open(self) -> None:
        if self._database is not None:
            store = DatabaseStore(self._database, self.timing)
            try:
                await store.prepare()
            except BaseException:
                await store.close()
                raise
            self.home = store.url
            self._store = store
        self._core = Core(
            cast("Store", self._store), self.timing, clock=self.clock, listener=self._listener, label=self._label
        )
        await self._core.start()

    def close(self) -> "Future[None]":
        """Release what is held and stop the heartbeat; then call `stop`."""
        return self.loop.submit(self.core.close())

    def stop(self) -> None:
        """End the thread."""
        if self._loop is not None:
            self._loop.stop()

    @property
    def loop(self) -> BackgroundLoop:
        """The library's thread."""
        if self._loop is None:
            raise LeaseError("this client is not open: use it as `with LeaseClient(...) as client` (or `async with`)")
        self._loop.check()
        return self._loop

    @property
    def core(self) -> Core:
        """What runs in it."""
        if self._core is None:
            raise LeaseError("this client is not open: use it as `with LeaseClient(...) as client` (or `async with`)")
        return self._core

    def take(self, ticket: Ticket, name: str, wait: float | None) -> "Future[GrantState]":
        """Acquire ``name``; a caller that goes away calls `abandon` with the same ticket."""
        return self.loop.submit(self.core.take(ticket, name, wait))

    def abandon(self, ticket: Ticket) -> "Future[None]":
        """End that acquisition, and release what it was granted."""
        return self.loop.submit(self.core.abandon(ticket))

    def release(self, tenure: GrantState) -> "Future[bool]":
        """End the grant."""
        return self.loop.submit(self.core.release(tenure))

    def read(self, name: str) -> "Future[LeaseRecord | None]":
        """Read one lease."""
        return self.loop.submit(self.core.read(name))

    def list_prefix(self, prefix: str) -> "Future[list[LeaseRecord]]":
        """Read the leases under a prefix."""
        return self.loop.submit(self.core.list(prefix))

    def expect(self) -> "Future[None]":
        """Say that something is being acquired in a transaction of the caller's own; undo it with `arrive`."""
        return self.loop.submit(_done(self.core.heartbeat.begin_flight, ANY_NAME))

    def arrive(self, *, sure: bool) -> "Future[None]":
        """Say that this is over; unless ``sure``, something may have been granted that nobody was told of."""
        return self.loop.submit(_done(self.core.heartbeat.end_flight, ANY_NAME, sure))

    def adopt(self, grants: Sequence[Grant], sent: float) -> "Future[Sequence[GrantState]]":
        """Renew these grants from now on."""
        adopt = self.core.heartbeat.adopt
        return self.loop.submit(_done(lambda: [adopt(grant, sent) for grant in grants]))

    def forget(self, tenure: GrantState) -> "Future[None]":
        """Renew this grant no longer: the caller has released it in a transaction of its own."""
        return self.loop.submit(_done(self.core.heartbeat.forget, tenure))


async def _done(call: Any, *arguments: Any) -> Any:
    return call(*arguments)
