"""The store of leases: what the heartbeat and the client ask of it, and again where it is away."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from .errors import StoreUnavailable
from .model import Break, Grant, LeaseRecord, Renewal
from .timing import LeaseTiming


class Wait(Protocol):
    """A wait for one's turn at one name. What is said of it from the moment on at which this is made is heard."""

    async def __call__(self, seconds: float, ahead: int) -> None:
        """Wait until it may be one's turn, at most ``seconds``; ``ahead`` others come before."""

    def close(self) -> None:
        """Hear no more; from any thread."""


class Store(Protocol):
    """A store of leases. Every method raises `StoreUnavailable` when the store does not answer in time."""

    def admitted(self) -> AbstractAsyncContextManager[None]:
        """Wait for a place among those who `grant`, and have it during the block; what is asked in it waits for
        nobody of this client.
        """

    async def grant(
        self, name: str, holder: str, label: str, ttl: float, *, queue: bool = False
    ) -> Grant | LeaseRecord | None:
        """Grant ``name``, or return the lease that is in the way (None where that is not known: ask
        again). With ``queue``, ``holder`` gets or keeps a place among those who wait.
        """

    async def renew(
        self, holder: str, ttl: float, expected: Collection[Grant], besides: Collection[Grant] = ()
    ) -> Renewal:
        """Renew all leases of ``holder`` besides some grants, and return what became of ``expected``."""

    async def release(self, grant: Grant) -> bool:
        """End ``grant``, and wake those who wait for it; False when it had ended before."""

    async def release_all(self, holder: str, besides: Collection[str]) -> list[Grant]:
        """End some thousand leases of ``holder``, besides these names and what is locked; return them."""

    async def break_grant(self, grant: Grant, by: str, reason: str) -> Break | None:
        """Break ``grant``; None when it had ended before. `LeaseError` says that a transaction is fenced with it."""

    def waiting(self, name: str, holder: str) -> Wait:
        """Listen from now on for the turn of ``holder`` at ``name``; from any thread."""

    async def leave(self, name: str, holder: str) -> None:
        """Give up the place of ``holder`` among those who wait for ``name``."""

    async def read(self, name: str) -> LeaseRecord | None:
        """Return the lease ``name``, or None."""

    async def list(self, prefix: str) -> list[LeaseRecord]:
        """Return the leases whose names begin with ``prefix``."""

    async def close(self) -> None:
        """Close all connections."""


T = TypeVar("T")

_ATTEMPTS = 3
"""How many times a call that does not wait asks the database before it reports that it is away."""


async def retried(call: Callable[[], Awaitable[T]], timing: LeaseTiming) -> T:
    """Return what ``call`` returns; `StoreUnavailable` when each of a few attempts, `retry_wait` apart, raised it."""
    try:
        return await call()  # nearly always; setting up to try again costs as much as a call
    except StoreUnavailable:
        await asyncio.sleep(timing.retry_wait)
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_attempt(_ATTEMPTS - 1),
        wait=wait_fixed(timing.retry_wait),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            return await call()
    raise AssertionError  # the last attempt's error is raised
