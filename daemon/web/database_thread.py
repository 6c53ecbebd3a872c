"""A database on a thread of its own, for what is answered over HTTP: neither the web server nor the replica waits for it."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from lease.background import BackgroundLoop
from lease.database.database import OwnDatabase
from lease.database.opening import open_database
from lease.errors import LeaseError, StoreUnavailable

from ..jobs.room import shortage

T = TypeVar("T")
Work = Callable[[OwnDatabase], Coroutine[Any, Any, T]]
_CLOSING_LIMIT = 2.0
_SWITCH = 0.0005
"""Seconds after which Python asks a thread to let another one continue, 5 ms by default: what is read and written for
others delays the loop of the replica less.
"""


class DatabaseThread:
    """The database at ``url``, for one event loop. The first call opens it."""

    def __init__(self, url: str, name: str, *, timeout: float, connections: int) -> None:
        self._url = url
        self._name = name
        self._timeout = timeout
        self._connections = connections
        self._opened: tuple[BackgroundLoop, OwnDatabase] | None = None

    async def do(self, work: Work[T]) -> T:
        """Return the result of ``work``, which runs on the thread; raises `StoreUnavailable` if none can start."""
        if self._opened is None:
            self._opened = self._open()
        sys.setswitchinterval(min(_SWITCH, sys.getswitchinterval()))
        loop, database = self._opened
        return await asyncio.wrap_future(loop.submit(lambda: work(database)))

    def close(self) -> None:
        """Close the connections and end the thread, whatever still runs there."""
        if self._opened is not None:
            loop, database = self._opened
            with suppress(TimeoutError, LeaseError):
                loop.submit(database.close).result(_CLOSING_LIMIT)
            loop.stop()

    def _open(self) -> tuple[BackgroundLoop, OwnDatabase]:
        name = f"leased {self._name}"
        database = open_database(self._url, timeout=self._timeout, connections=self._connections, application=name)
        try:
            return BackgroundLoop(name.replace(" ", "-")), database
        except (OSError, RuntimeError) as error:
            raise StoreUnavailable(str(shortage(error, "the database cannot be asked for now") or error)) from None
