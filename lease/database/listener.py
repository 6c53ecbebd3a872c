"""The listener for releases on PostgreSQL.

A notification only shortens a wait; nothing depends on it (a pooler in transaction mode swallows
them all).
"""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from ..errors import LeaseError
from ..waiters import PATIENCE
from .address import describe
from .backend import ConnectionSettings
from .connections import Route
from .driver_errors import one_line
from .held.line import forget

_CHECK = "check"
"""The listener's notification to itself; all others are JSON objects."""
_CONNECT = 2.0
_PAUSE = 1.0
"""Seconds between two attempts to listen, and between two looks whether anyone is waiting."""
_LINGER = 30.0
"""Seconds for which it goes on when the last has left: who waits now will soon wait again, and to
begin anew takes a connection.
"""
_logger = logging.getLogger("lease")


class Subscription:
    """What one waiter hears: `heard` is set when it may be its turn."""

    def __init__(self, name: str, holder: str) -> None:
        self.name = name
        self.holder = holder
        self.heard = asyncio.Event()

    def told(self, turns: list[str]) -> None:
        """Take in whose turn it is: each gets a while to take the lease, and then the one behind."""
        if self.holder not in turns:
            return
        ahead = turns.index(self.holder)
        if ahead == 0:
            self.heard.set()
        else:
            asyncio.get_running_loop().call_later(ahead * PATIENCE, self.heard.set)


class ReleaseListener:
    """One connection that listens to ``channel`` while there are waiters, and hears what was
    released and whose turn it is.

    It counts as working only after a notification to itself has arrived. That it does not work is
    logged once, until it has worked again.
    """

    def __init__(self, route: Route, channel: str) -> None:
        self._route = route
        self._channel = channel
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._task: asyncio.Task[None] | None = None
        self._reported = False
        self._unused_since = 0.0
        self._working = asyncio.Event()

    @property
    def is_working(self) -> bool:
        """Whether it hears."""
        return self._working.is_set()

    @contextmanager
    def subscribed(self, name: str, holder: str) -> Iterator[Subscription]:
        """Subscribe during the block to what is said of ``holder`` and ``name``, if it works; see
        `start`.
        """
        subscription = Subscription(name, holder)
        self._subscriptions.setdefault(name, []).append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[name].remove(subscription)
            if not self._subscriptions[name]:
                del self._subscriptions[name]
            self._unused_since = monotonic()

    async def start(self, seconds: float) -> None:
        """Begin to listen, and wait at most ``seconds`` until that works."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._working.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)

    async def _listen(self) -> None:
        while self._is_needed():
            try:
                await self._listen_once()
                self._working.clear()
            except (psycopg.Error, OSError, LeaseError) as error:
                self._report(str(error) or type(error).__name__)
                self._working.clear()
                for subscription in self._of(*self._subscriptions):
                    subscription.heard.set()
                await asyncio.sleep(_PAUSE)

    def _is_needed(self) -> bool:
        return bool(self._subscriptions) or monotonic() - self._unused_since < _LINGER

    async def _listen_once(self) -> None:
        connecting = asyncio.ensure_future(self._connect())
        connecting.add_done_callback(forget)
        try:
            async with asyncio.timeout(_CONNECT):
                connection = await connecting
        except TimeoutError:
            raise TimeoutError(f"no connection within {_CONNECT:g}s") from None
        try:
            await connection.execute(f"LISTEN {self._channel}")
            await connection.execute("SELECT pg_notify(%s, %s)", (self._channel, _CHECK))
            while self._is_needed():
                async for notification in connection.notifies(timeout=_PAUSE):
                    self._hear(notification.payload)
                if not self.is_working:
                    self._report("its notification to itself does not arrive, as behind a pooler in transaction mode")
        finally:
            # Not close(): on a silent network nothing is to be waited for.
            connection.pgconn.finish()

    async def _connect(self) -> psycopg.AsyncConnection[TupleRow]:
        arguments = await self._route.arguments(ConnectionSettings("leased listener"))
        return await psycopg.AsyncConnection.connect(autocommit=True, **arguments)

    def _hear(self, payload: str) -> None:
        if payload == _CHECK:
            self._reported = False
            self._working.set()
            return
        name, turns = _parsed(payload)
        for subscription in self._of(name):
            subscription.told(turns)

    def _of(self, *names: str) -> list[Subscription]:
        return [subscription for name in names for subscription in self._subscriptions.get(name, ())]

    def _report(self, cause: str) -> None:
        if self._reported:
            return
        self._reported = True
        said = (
            "cannot listen for releases in %s, so that those who wait for a lease look once a second: %s",
            describe(self._route.url),
            one_line(cause, self._route.url),
        )
        # In a thread of its own: a log that nobody reads may block.
        threading.Thread(target=_logger.warning, args=said, name="lease-log", daemon=True).start()


def _parsed(payload: str) -> tuple[str, list[str]]:
    """Return the name and whose turn it is; nobody's, of no name, where that is not what a release says:
    whoever may connect can notify the channel.
    """
    said: Any = None
    with suppress(ValueError, RecursionError):
        said = json.loads(payload)
    match said:
        case {"name": str() as name, "next": list() as turns}:
            return name, turns
        case _:
            return "", []
