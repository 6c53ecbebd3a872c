"""The store of leases: what the heartbeat and the client ask of it, and the store in a database."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import URL, Connection
from sqlalchemy.exc import OperationalError

from . import statements
from .database.address import Address
from .database.backend import backend_of
from .database.driver_errors import sqlstate
from .database.opening import open_database
from .errors import StoreUnavailable
from .model import Grant, LeaseRecord, Renewal
from .schema import create_tables
from .timing import LeaseTiming

if TYPE_CHECKING:
    from .database.listener import ReleaseListener

_UNHEARD = 1.0
"""Seconds between two looks where notifications do not arrive."""
_LOOK = 0.1
"""Seconds between two looks on SQLite, which has no notifications."""
_AFTER_EXPIRY = 0.005
"""Seconds by which to look later than a lease goes stale, so that it is stale then."""


class Store(Protocol):
    """A store of leases. Every method raises `StoreUnavailable` when the store does not answer in
    time.
    """

    async def grant(self, name: str, holder: str, label: str, ttl: float) -> Grant | LeaseRecord | None:
        """Grant ``name``, or return the lease that is in the way (None where that is not known: ask
        again).
        """
        ...

    async def renew(self, holder: str, ttl: float, expected: Collection[Grant]) -> Renewal:
        """Renew all leases of ``holder``, and return what became of ``expected``."""
        ...

    async def release(self, grant: Grant) -> bool:
        """End ``grant``, and wake those who wait for it; False when it had ended before."""
        ...

    async def wait_released(self, name: str, seconds: float) -> None:
        """Wait until ``name`` may be free (its release was heard of, or it went stale), at most
        ``seconds``.
        """
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


class DatabaseStore:
    """The leases in PostgreSQL or SQLite. Renewals have a connection of their own (rule 8)."""

    def __init__(self, address: Address, timing: LeaseTiming) -> None:
        self._lock_wait = timing.attempt_timeout / 4
        self._timeout = timing.attempt_timeout
        self._renewals = open_database(address, timeout=self._timeout, connections=1, application="leased heartbeat")
        self._others = open_database(address, timeout=self._timeout, connections=4, application="leased")
        self.url = self._others.url
        self._backend = backend_of(self.url)
        self._listener = _listener(self.url) if self._backend.listens else None

    async def grant(self, name: str, holder: str, label: str, ttl: float) -> Grant | LeaseRecord | None:
        def unit(connection: Connection) -> Grant | LeaseRecord | None:
            granted = statements.grant(connection, [name], holder, ttl, label=label)
            return granted[0] if granted else statements.read(connection, [name]).get(name)

        return await self._others.write(unit)

    async def renew(self, holder: str, ttl: float, expected: Collection[Grant]) -> Renewal:
        def unit(connection: Connection) -> Renewal:
            renewed = self._renewed(connection, holder, ttl)
            missing = [grant.name for grant in expected if (grant.name, grant.token) not in renewed.pairs]
            return Renewal(
                renewed.pairs, statements.read(connection, missing) if missing else {}, renewed.database_time
            )

        # One statement needs no transaction around it, which saves a round trip; unless its turn to
        # write comes with one.
        return await (self._renewals.write(unit) if self._backend.has_one_writer else self._renewals.read(unit))

    def _renewed(self, connection: Connection, holder: str, ttl: float) -> statements.RenewedPairs:
        try:
            return statements.renew(connection, holder, ttl, lock_wait=self._lock_wait)
        except OperationalError as error:
            if sqlstate(error) != "55P03":  # lock_not_available
                raise
        return statements.renew_unlocked(connection, holder, ttl)

    async def release(self, grant: Grant) -> bool:
        done = await self._others.write(
            lambda connection: statements.release(connection, grant, lock_wait=self._timeout * 0.9)
        )
        if done.awaited:
            # After the commit, by itself, and only where there is a waiter (rule 15), who would
            # also look again without it.
            with suppress(StoreUnavailable):
                await self._others.read(lambda connection: statements.notify(connection, grant.name))
        return done.released

    async def wait_released(self, name: str, seconds: float) -> None:
        if self._listener is None:
            await self._look_until_released(name, seconds)
            return
        with self._listener.subscribed(name) as heard:
            working = await _happens(self._listener.working, min(seconds, _UNHEARD))
            noted = await self._others.write(
                lambda connection: statements.await_release(connection, name, seconds + 1.0)
            )
            record = await self.read(name)
            if record is not None and record.live and record.expires_in is not None:
                bound = min(seconds, record.expires_in + _AFTER_EXPIRY)
                await _happens(heard, bound if working and noted else min(bound, _UNHEARD))

    async def _look_until_released(self, name: str, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            record = await self.read(name)
            if record is None or not record.live or record.expires_in is None:
                return
            await asyncio.sleep(max(0.0, min(left, record.expires_in + _AFTER_EXPIRY, _LOOK)))

    async def read(self, name: str) -> LeaseRecord | None:
        return await self._others.read(lambda connection: statements.read(connection, [name]).get(name))

    async def list(self, prefix: str) -> list[LeaseRecord]:
        return await self._others.read(lambda connection: statements.list_prefix(connection, prefix))

    async def prepare(self) -> None:
        """Create the tables where the database is embedded; elsewhere that is a step of its own
        (`lease.create_tables`, a migration).
        """
        if self._backend.is_embedded:
            await self._others.write(create_tables)

    async def close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        await self._renewals.close()
        await self._others.close()


def _listener(url: URL) -> "ReleaseListener":
    from .database.listener import ReleaseListener  # noqa: PLC0415 - its driver is loaded only where there is one

    return ReleaseListener(url, statements.CHANNEL)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    """Wait at most ``seconds`` for ``event``; return whether it is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
