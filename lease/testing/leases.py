"""What a test of a program with leases needs: clients without a database, whose time it moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..durations import Duration
from ..model import Grant
from .clock import ManualClock
from .store import MemoryStore

if TYPE_CHECKING:  # clients bring SQLAlchemy along, which neither a store in memory nor a clock needs
    from ..client import LeaseClient
    from ..handle import Handle
    from ..sync import LeaseClient as SyncLeaseClient


class ManualLeases:
    """A store in memory and a clock, for any number of clients; a test decides what happens to them.

    Options of `client` and `async_client` are those of `lease.LeaseClient`.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def client(self, **options: Any) -> "SyncLeaseClient":
        """Return a sync client, as ``with leases.client() as client``."""
        from ..sync import LeaseClient  # noqa: PLC0415 - it brings SQLAlchemy along

        return LeaseClient(store=self.store, clock=self.clock, **options)

    def async_client(self, **options: Any) -> "LeaseClient":
        """Return an async client, as ``async with leases.async_client() as client``."""
        from ..client import LeaseClient  # noqa: PLC0415 - it brings SQLAlchemy along

        return LeaseClient(store=self.store, clock=self.clock, **options)

    def advance(self, duration: Duration) -> None:
        """Let time pass. All that is due meanwhile (renewals, losses, the ends of waits) has happened
        when this returns.
        """
        self.clock.advance(duration)

    def suspend(self, duration: Duration) -> None:
        """Let time pass without the clients, as for a laptop that sleeps or a process that is stopped."""
        self.clock.jump(duration)

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Let the database be out of reach during the block."""
        self.store.available = False
        try:
            yield
        finally:
            self.store.available = True

    def steal(self, name: str, *, label: str = "another client") -> Grant:
        """Grant ``name`` to another client, whoever holds it, as if its ttl had been over; the holder
        is told with its next renewal.
        """
        return self.store.steal(name, label=label)

    def fence(self, held: "Handle | Grant") -> None:
        """Raise `LeaseLost` if a transaction fenced with ``held`` could not commit."""
        self.store.fence(held if isinstance(held, Grant) else held.grant)
