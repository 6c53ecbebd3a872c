"""PostgreSQL through psycopg 3, with a bound on each attempt that holds on a silent network too.

A pending call is ended by shutting its socket down, not by cancelling it: psycopg would ask the
server to cancel, over the same network that does not answer, and wait for that (rule 3). No session
state is used, so that a pooler in transaction mode does no harm.

Connections are held from one unit of work to the next. Statements are prepared only where a
connection is proven to lead to the server itself: a pooler would run them over any of its own
connections, where another client may have prepared something else under the same name.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from traceback import clear_frames
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ..errors import StoreUnavailable
from .backend import ConnectionSettings
from .connections import OWN, Route, make_async_engine
from .database import Unit
from .driver_errors import explain, sqlstate

T = TypeVar("T")

_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NotSupportedError, psycopg.Error, OSError)
_HARMLESS = ("23", "40", "55")
"""The classes of errors after which a connection is as good as before: what a constraint, a
deadlock or a lock refused."""
_PREPARED_AFTER = 5
"""How often a statement is run before it is prepared; psycopg's own number."""
_AFTER_THE_CUT = 1.0
"""Seconds that a cut call may take to notice; after that it is left to itself."""
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"


def open_database(route: Route, *, timeout: float, connections: int, application: str) -> "PostgresqlDatabase":
    """Open it for `lease.database.opening.open_database`."""
    return PostgresqlDatabase(route, timeout=timeout, connections=connections, application=application)


class PostgresqlDatabase:
    """A few connections of its own, used from one event loop (see `lease.database.database.Database`)."""

    def __init__(self, route: Route, *, timeout: float, connections: int, application: str) -> None:
        self._url = route.url
        self._timeout = timeout
        engine = make_async_engine(route, ConnectionSettings(application))
        event.listen(engine.sync_engine, "connect", _connected, insert=True)
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT", **{OWN: True})
        self._places = asyncio.Semaphore(connections)
        self._held: list[_Held] = []

    @property
    def url(self) -> URL:
        return self._url

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        return await self._bounded(lambda connection: _in_transaction(connection, unit), timeout)

    async def write_alone(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        return await self._bounded(unit, timeout)

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        return await self._bounded(unit, timeout)

    async def close(self) -> None:
        with suppress(Exception):
            async with asyncio.timeout(self._timeout):
                await self._let_go()
                await self._engine.dispose()

    async def _bounded(self, unit: Unit[T], timeout: float | None) -> T:
        seconds = self._timeout if timeout is None else timeout
        line = _Line()
        task = asyncio.ensure_future(self._attempt(line, unit))
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

    async def _attempt(self, line: "_Line", unit: Unit[T]) -> T:
        async with self._places, self._connection(line) as connection:
            return await connection.run_sync(unit)

    @asynccontextmanager
    async def _connection(self, line: "_Line") -> AsyncIterator[AsyncConnection]:
        """Give a connection that nobody else uses, and hold it for the next attempt if it is well
        after this one.
        """
        held = self._held.pop() if self._held else await self._connect(line)
        line.runs_over(held.driver)
        harmed = False
        try:
            yield held.connection
        except DBAPIError as error:
            harmed = not (sqlstate(error) or "").startswith(_HARMLESS)
            raise
        finally:
            self._held.append(held)
            if harmed or line.is_cut or held.driver.info.transaction_status != TransactionStatus.IDLE:
                await self._let_go()  # of all: the others are probably as broken, and would each cost an attempt

    async def _connect(self, line: "_Line") -> "_Held":
        _line.set(line)
        connection = await self._engine.connect()
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            if await _is_direct(driver):
                driver.prepare_threshold = _PREPARED_AFTER
        except BaseException:
            await _end(connection)
            raise
        return _Held(connection, driver)

    async def _let_go(self) -> None:
        while self._held:
            await _end(self._held.pop().connection)


@dataclass(frozen=True, slots=True)
class _Held:
    """A connection, for SQLAlchemy and as the driver has it."""

    connection: AsyncConnection
    driver: psycopg.AsyncConnection[Any]


async def _is_direct(driver: psycopg.AsyncConnection[Any]) -> bool:
    """Return whether a connection leads to the server itself: then what answers is the process that
    the server named when it was made. A pooler names something else.
    """
    answer = await (await driver.execute("SELECT pg_backend_pid()", prepare=False)).fetchone()
    return answer == (driver.info.backend_pid,)


async def _end(connection: AsyncConnection) -> None:
    # Not close() alone: it would roll back, and on a silent network nothing is to be waited for.
    await connection.invalidate()
    await connection.close()


def _in_transaction(connection: Connection, unit: Unit[T]) -> T:
    connection.exec_driver_sql(_BEGIN)
    try:
        result = unit(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(Exception):  # a connection that is broken is let go of
            connection.exec_driver_sql("ROLLBACK")
        raise
    return result


def _refused(error: ProgrammingError) -> bool:
    """Return whether the error is about the address (it comes from the driver then, without a code)
    or about rights.
    """
    return sqlstate(error) in (None, "42501")


class _Line:
    """The socket of an attempt under way."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self.is_cut = False

    def runs_over(self, driver: Any) -> None:
        self._descriptor = driver.fileno()

    async def cut(self, task: "asyncio.Task[T]") -> None:
        """End the attempt now; whether the server carries it out is not known."""
        self.is_cut = True
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
