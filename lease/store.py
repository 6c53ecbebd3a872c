"""The store of leases: what the heartbeat and the client ask of it."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from .model import Break, Grant, LeaseRecord, Renewal


class Wait(Protocol):
    """A wait for one's turn at one name."""

    async def __call__(self, seconds: float, ahead: int) -> None:
        """Wait until it may be one's turn, at most ``seconds``; ``ahead`` others come before."""
        ...


class Store(Protocol):
    """A store of leases. Every method raises `StoreUnavailable` when the store does not answer in
    time.
    """

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        """Grant ``name``, or return the lease that is in the way (None where that is not known: ask
        again). With ``queue``, ``holder`` gets or keeps a place among those who wait.
        """
        ...

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        """Renew all leases of ``holder`` besides some grants, and return what became of ``expected``."""
        ...

    async def release(self, grant: Grant) -> bool:
        """End ``grant``, and wake those who wait for it; False when it had ended before."""
        ...

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        """End some thousand leases of ``holder``, besides these names and what is locked; return them."""
        ...

    async def break_grant(self, grant: Grant, by: str, reason: str) -> Break | None:
        """Break ``grant``; None when it had ended before. `LeaseError` says that a transaction is
        fenced with it.
        """
        ...

    def waiting(self, name: str, holder: str) -> AbstractContextManager[Wait]:
        """Listen for the turn of ``holder`` at ``name`` during the block; what is called with waits
        for it.
        """
        ...

    async def leave(self, name: str, holder: str) -> None:
        """Give up the place of ``holder`` among those who wait for ``name``."""
        ...

    async def read(self, name: str) -> LeaseRecord | None:
        """Return the lease ``name``, or None."""
        ...

    async def list(self, prefix: str) -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
