"""PostgreSQL through psycopg 3, with a bound on each attempt that holds on a silent network too.

A pending call is ended by shutting its socket down, not by cancelling it: psycopg would ask the
server to cancel, over the same network that does not answer, and wait for that (rule 3). No session
state is used, so that a pooler in transaction mode does no harm.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from traceback import clear_frames
from typing import Any, TypeVar

from sqlalchemy import URL, event
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import StoreUnavailable
from .backend import ConnectionSettings
from .connections import Route, make_async_engine
from .database import Unit
from .driver_errors import explain, sqlstate

T = TypeVar("T")

_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError)
_AFTER_THE_CUT = 1.0
"""Seconds that a cut call may take to notice; after that it is left to itself."""


def open_database(route: Route, *, timeout: float, connections: int, application: str) -> "PostgresqlDatabase":
    """Open it for `lease.database.opening.open_database`."""
    return PostgresqlDatabase(route, timeout=timeout, connections=connections, application=application)


class PostgresqlDatabase:
    """A small pool of connections of its own, used from one event loop (see
    `lease.database.database.Database`).
    """

    def __init__(self, route: Route, *, timeout: float, connections: int, application: str) -> None:
        self._url = route.url
        self._timeout = timeout
        self._engine = make_async_engine(route, ConnectionSettings(application), pool=connections, patience=timeout)
        event.listen(self._engine.sync_engine, "connect", _connected, insert=True)
        self._plain = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def url(self) -> URL:
        return self._url

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        async def attempt(line: _Line) -> T:
            _line.set(line)
            async with self._engine.connect() as connection:
                await line.opened(connection)
                async with connection.begin():
                    return await connection.run_sync(unit)

        return await self._bounded(attempt, timeout)

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        async def attempt(line: _Line) -> T:
            _line.set(line)
            async with self._plain.connect() as connection:
                await line.opened(connection)
                return await connection.run_sync(unit)

        return await self._bounded(attempt, timeout)

    async def close(self) -> None:
        with suppress(Exception):
            await asyncio.wait_for(self._engine.dispose(), self._timeout)

    async def _bounded(self, attempt: "Callable[[_Line], Coroutine[Any, Any, T]]", timeout: float | None) -> T:
        seconds = self._timeout if timeout is None else timeout
        line = _Line()
        task = asyncio.ensure_future(attempt(line))
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            await line.cut(task)
            raise
        if not done:
            await line.cut(task)
            raise explain(TimeoutError(f"no answer within {seconds:g}s"), self._url)
        try:
            return task.result()
        except (*_UNAVAILABLE, ProgrammingError) as error:
            explained = explain(error, self._url)
            if isinstance(error, ProgrammingError) and isinstance(explained, StoreUnavailable) and not _refused(error):
                raise  # a mistake in a statement is a bug, and no reason to try again
            raise explained from error


def _refused(error: ProgrammingError) -> bool:
    """Return whether the error is about the address (it comes from the driver then, without a code)
    or about rights.
    """
    return sqlstate(error) in (None, "42501")


class _Line:
    """The socket of an attempt under way."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    async def opened(self, connection: AsyncConnection) -> None:
        self.runs_over((await connection.get_raw_connection()).driver_connection)

    def runs_over(self, driver: Any) -> None:
        self._descriptor = driver.fileno()

    async def cut(self, task: "asyncio.Task[T]") -> None:
        """End the attempt now; whether the server carries it out is not known."""
        task.add_done_callback(forget)
        if task.done():
            return
        if self._descriptor is None:
            task.cancel()
        else:
            _shut_down(self._descriptor)
        await asyncio.wait({task}, timeout=_AFTER_THE_CUT)


_line: ContextVar[_Line | None] = ContextVar("lease_line", default=None)


def _connected(connection: Any, _record: Any) -> None:
    """Note the socket of a new connection before SQLAlchemy asks it for the server's version: the
    network can fall silent then too.
    """
    line = _line.get()
    if line is not None:
        line.runs_over(connection.driver_connection)


def _shut_down(descriptor: int) -> None:
    with suppress(OSError):
        line = socket.socket(fileno=os.dup(descriptor))
        try:
            line.shutdown(socket.SHUT_RDWR)
        finally:
            line.close()


def forget(task: "asyncio.Task[T]") -> None:
    """Drop the error of a call that was cut, and with it the half-made connection that its frames
    refer to.

    Otherwise that stays open until the garbage collector runs, and the server waits for it
    meanwhile.
    """
    try:
        task.result()
    except BaseException as error:  # noqa: BLE001 - any error will do
        clear_frames(error.__traceback__)
