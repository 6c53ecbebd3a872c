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
    """A store in memory and a clock that a test moves, for any number of clients.

    `client` and `async_client` take the options of `lease.LeaseClient`: timing, label, on_event.
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
        """Let time pass, and return when all that was due in it has happened: renewals, losses, ends of waits."""
        self.clock.advance(duration)

    def suspend(self, duration: Duration) -> None:
        """Let time pass while the clients do nothing, as in a stopped process or on a sleeping laptop."""
        self.clock.jump(duration)

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Make the database unreachable during the block."""
        self.store.available = False
        try:
            yield
        finally:
            self.store.available = True

    def steal(self, name: str, *, label: str = "another client") -> Grant:
        """Grant ``name`` to another client, as if the holder's ttl were over; the holder learns of it at its
        next renewal.
        """
        return self.store.steal(name, label=label)

    def fence(self, held: "Handle | Grant") -> None:
        """Raise `LeaseLost` if a transaction fenced with ``held`` could not commit."""
        self.store.fence(held if isinstance(held, Grant) else held.grant)
