"""The listener for releases on PostgreSQL.

A notification only shortens a wait; nothing depends on it (a pooler in transaction mode swallows
them all).
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from sqlalchemy import URL

from .postgresql import forget

_CHECK = "\N{BELL}check"
"""A payload that no lease's name can be: the listener's notification to itself."""
_CONNECT = 2.0
_PAUSE = 1.0
"""Seconds between two attempts to listen, and between two looks whether anyone is waiting."""


class ReleaseListener:
    """One connection that listens to ``channel`` while there are waiters, and hears the names that
    were released.

    It counts as working only after a notification to itself has arrived.
    """

    def __init__(self, url: URL, channel: str) -> None:
        self._channel = channel
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._waiters: dict[str, list[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self.working = asyncio.Event()

    @contextmanager
    def subscribed(self, name: str) -> Iterator[asyncio.Event]:
        """Listen during the block; the event is set whenever the release of ``name`` is heard, or
        the connection is lost.
        """
        heard = asyncio.Event()
        self._waiters.setdefault(name, []).append(heard)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        try:
            yield heard
        finally:
            self._waiters[name].remove(heard)
            if not self._waiters[name]:
                del self._waiters[name]

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)

    async def _listen(self) -> None:
        while self._waiters:
            with suppress(psycopg.Error, OSError, TimeoutError):
                await self._listen_once()
            self.working.clear()
            self._wake(name for name in list(self._waiters))
            await asyncio.sleep(_PAUSE)

    async def _listen_once(self) -> None:
        connecting = asyncio.ensure_future(
            psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None, application_name="leased listener"
            )
        )
        connecting.add_done_callback(forget)
        async with asyncio.timeout(_CONNECT):
            connection = await connecting
        try:
            await connection.execute(f"LISTEN {self._channel}")
            await connection.execute("SELECT pg_notify(%s, %s)", (self._channel, _CHECK))
            while self._waiters:
                async for notification in connection.notifies(timeout=_PAUSE):
                    if notification.payload == _CHECK:
                        self.working.set()
                    else:
                        self._wake([notification.payload])
        finally:
            # Not close(): on a silent network nothing is to be waited for.
            connection.pgconn.finish()

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            for heard in self._waiters.get(name, ()):
                heard.set()
