"""The listener for notifications of PostgreSQL.

A notification only shortens a wait; nothing depends on it (a pooler in transaction mode swallows them all).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import uuid4

import psycopg
from psycopg.pq import ConnStatus
from psycopg.rows import TupleRow

from ...errors import LeaseError
from ..backend import ConnectionSettings
from ..connections import Route
from ..held.line import forget

_CONNECT = 2.0
_PAUSE = 1.0
"""Seconds between two attempts to listen, and between two looks whether that is needed."""


class Listener(ABC):
    """One connection that listens to ``channels``, while it is needed.

    It counts as working only once a notification has arrived that was sent to it over another
    connection. That it does not work is reported once, until it has worked again.
    """

    def __init__(self, route: Route, channels: Sequence[str]) -> None:
        self._route = route
        self._channels = channels
        self._task: asyncio.Task[None] | None = None
        self._working = asyncio.Event()
        self._reported = False

    @property
    def is_working(self) -> bool:
        return self._working.is_set()

    async def start(self, seconds: float) -> None:
        """Begin to listen, and wait at most ``seconds`` until that works."""
        self._ensure()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._working.wait()

    def begin_anew(self) -> None:
        """Listen over another connection: what should have been heard over this one was not."""
        self._working.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._ensure()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)

    # What it is for

    @abstractmethod
    def _is_needed(self) -> bool:
        """Return whether anybody waits for what it may hear."""

    @abstractmethod
    def _hear(self, channel: str, payload: str) -> None:
        """Take in a notification; whoever may connect can send one that means nothing."""

    @abstractmethod
    def _begun(self) -> None:
        """Take in that it works from now on; what was said before was missed."""

    @abstractmethod
    def _lost(self) -> None:
        """Take in that it hears nothing for now."""

    @abstractmethod
    def _report(self, cause: str) -> None:
        """Report that it does not work."""

    # The connection

    def _ensure(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while self._is_needed():
            try:
                await self._listen_once()
                self._working.clear()
            except (psycopg.Error, OSError, LeaseError) as error:
                if not self.is_working:  # where it worked, the next attempt says more
                    self._say(str(error) or type(error).__name__)
                self._working.clear()
                self._lost()
                await asyncio.sleep(_PAUSE)

    async def _listen_once(self) -> None:
        async with self._connected() as connection:
            await connection.execute(
                "; ".join(f"LISTEN {channel}" for channel in self._channels).encode(), prepare=False
            )
            check = f"check {uuid4().hex}"
            async with self._connected() as other:
                # What it said itself would arrive through a pooler too, which takes the server away only then.
                await other.execute("SELECT pg_notify(%s, %s)", (self._channels[0], check))
            with self._reading(connection, check) as broken:
                while self._is_needed():
                    if (await asyncio.wait({broken}, timeout=_PAUSE))[0]:
                        broken.result()
                    elif not self.is_working:
                        self._say("its notification to itself does not arrive, as behind a pooler in transaction mode")

    @contextmanager
    def _reading(self, connection: psycopg.AsyncConnection[TupleRow], check: str) -> "Iterator[asyncio.Future[None]]":
        """Take in during the block what arrives, at once; what it yields gets the error that ends this. psycopg
        itself would look ten times a second.
        """
        loop, pgconn = asyncio.get_running_loop(), connection.pgconn
        descriptor, broken = pgconn.socket, loop.create_future()

        def fail(error: Exception) -> None:
            if not broken.done():
                loop.remove_reader(descriptor)  # once: another connection may have its number soon
                broken.set_exception(error)

        def read() -> None:
            try:
                pgconn.consume_input()
                while (told := pgconn.notifies()) is not None:
                    self._take(told.relname.decode(), told.extra.decode(), check)
            except psycopg.Error as error:
                fail(error)
            if pgconn.status == ConnStatus.BAD:  # libpq may have closed it: nothing shows there then
                fail(psycopg.OperationalError("the connection is lost"))

        loop.add_reader(descriptor, read)
        try:
            read()  # what came with the answers before
            yield broken
        finally:
            if not broken.done():
                loop.remove_reader(descriptor)
            _ = broken.cancel() or broken.exception()  # asyncio would log what nobody asked for

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection[TupleRow]]:
        connecting = asyncio.ensure_future(self._connect())
        connecting.add_done_callback(forget)
        try:
            async with asyncio.timeout(_CONNECT):
                connection = await connecting
        except BaseException as error:
            connecting.add_done_callback(_let_go)  # it may have been made at the very moment in which this was given up
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"no connection within {_CONNECT:g}s") from None
            raise
        try:
            yield connection
        finally:
            # Not close(): on a silent network nothing is to be waited for.
            connection.pgconn.finish()

    async def _connect(self) -> psycopg.AsyncConnection[TupleRow]:
        arguments = await self._route.arguments(ConnectionSettings("leased listener"))
        return await psycopg.AsyncConnection.connect(autocommit=True, **arguments)

    def _take(self, channel: str, payload: str, check: str) -> None:
        if payload != check:
            self._hear(channel, payload)
        elif not self.is_working:
            self._reported = False
            self._working.set()
            self._begun()

    def _say(self, cause: str) -> None:
        if not self._reported:
            self._reported = True
            self._report(cause)


def _let_go(connecting: "asyncio.Future[psycopg.AsyncConnection[TupleRow]]") -> None:
    """Close a connection for which nobody waits any more."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().pgconn.finish()
