"""PostgreSQL through psycopg 3, with a bound on each attempt that holds on a silent network too.

A pending call is ended by shutting its socket down, not by cancelling it: psycopg would ask the
server to cancel, over the same network that does not answer, and wait for that (rule 3). No session
state is used, so that a pooler in transaction mode does no harm.

Connections are held from one unit of work to the next. Statements are prepared only where a
connection is proven to lead to the server itself: a pooler would run them over any of its own
connections, where another client may have prepared something else under the same name.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import Any, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import (
    DataError,
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
from .connections import Route, engine_for_libpq, make_async_engine
from .database import OwnDatabase, Unit
from .driver_errors import explain, is_harmless, sqlstate
from .held.line import Line, connected, current
from .held.statement import OWN, Call
from .wires import Wire
from .wires.of_libpq import ask_in_loop, is_direct
from .wires.of_libpq import connect as connect_wire

T = TypeVar("T")

_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NotSupportedError, psycopg.Error, OSError)
_PREPARED_AFTER = 5
"""How often a statement is run before it is prepared; psycopg's own number."""
_SHORTEST_CONNECT = 2.0
"""The seconds below which libpq bounds no connecting."""
_ASKED_AGAIN = 10.0
"""Seconds after which a connection through a pooler is asked again which database it leads to: the pooler may have
been told of another server since.
"""
_MOST_IDLE = 2.0
"""Seconds after which PostgreSQL ends a transaction whose next statement does not come: its process is
paused, or cut off, and would hold up others with the rows that it has locked (rule 11)."""


class PostgresqlDatabase(OwnDatabase):
    """A few connections of its own."""

    def __init__(self, route: Route, *, timeout: float, connections: int, application: str) -> None:
        super().__init__(route, timeout=timeout, connections=connections)
        self._application = application
        self._begin = _begin(min(timeout, _MOST_IDLE))
        engine = make_async_engine(route, ConnectionSettings(application))
        event.listen(engine.sync_engine, "connect", connected, insert=True)
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT", **{OWN: {}})
        self._held: list[_Held] = []
        self._is_closed = False

    @cached_property
    def _of_wires(self) -> Engine:
        """What statements are compiled for, once for all wires."""
        return engine_for_libpq(self._url)

    async def write(self, unit: Unit[T], *, timeout: float | None = None, first: bool = False) -> T:
        return await self._bounded(
            lambda held: held.connection.run_sync(_in_transaction, self._begin, unit), timeout, first=first
        )

    async def write_alone(self, call: Call[T], *, timeout: float | None = None, first: bool = False) -> T:
        return await self._bounded(lambda held: held.send(call), timeout, first=first)

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        return await self._bounded(lambda held: held.connection.run_sync(unit), timeout)

    async def read_alone(self, call: Call[T], *, timeout: float | None = None) -> T:
        return await self._bounded(lambda held: held.send(call), timeout)

    async def connect(self) -> None:
        if not self._held:  # it may be under way with another call
            await self._bounded(_nothing, None)

    async def wire(self) -> Wire | None:
        settings = ConnectionSettings(self._application, connect_within=max(_SHORTEST_CONNECT, self._timeout))
        async with asyncio.timeout(self._timeout):
            return await connect_wire(self._route, self._of_wires, settings)

    async def close(self) -> None:
        self._is_closed = True  # what is under way holds its connection no longer
        with suppress(Exception):
            async with asyncio.timeout(self._timeout):
                await self._let_go()

    async def _bounded(
        self, work: "Callable[[_Held], Awaitable[T]]", timeout: float | None, *, first: bool = False
    ) -> T:
        try:
            await self._capacity.take(first=first)
        except TimeoutError as error:
            raise explain(error, self._url) from None
        seconds = self._timeout if timeout is None else timeout  # from now on: a wait for a place is no attempt
        line = Line()
        task = asyncio.ensure_future(self._attempt(line, work))
        task.add_done_callback(lambda _: self._capacity.give_back())
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
        except (*_UNAVAILABLE, ProgrammingError, DataError) as error:
            explained = explain(error, self._url)
            if isinstance(error, ProgrammingError) and isinstance(explained, StoreUnavailable) and not _refused(error):
                raise  # a mistake in a statement is a bug, and no reason to try again
            raise explained from error

    async def _attempt(self, line: Line, work: "Callable[[_Held], Awaitable[T]]") -> T:
        """Do it over a connection that nobody else uses, which is held for the next attempt if it is
        well after this one.
        """
        held = self._held.pop() if self._held else await self._connect(line)
        line.runs_over(held.driver)
        harmed = False
        try:
            if not held.is_direct and monotonic() >= self._asked + _ASKED_AGAIN:
                await self._ask(held.driver)
            result = await work(held)
        except DBAPIError as error:
            harmed = not is_harmless(error)
            if sqlstate(error) is not None:
                self._capacity.answered()
            raise
        else:
            self._capacity.answered()
            return result
        finally:
            self._held.append(held)
            is_well = held.driver.pgconn.transaction_status == TransactionStatus.IDLE and not harmed
            if self._is_closed or line.is_cut or not is_well:
                await self._let_go()  # of all: the others are probably as broken, and would each cost an attempt

    async def _connect(self, line: Line) -> "_Held":
        current.set(line)
        connection = await self._engine.connect()
        try:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            pid, isolation = await self._ask(driver)
            direct = is_direct(driver, pid)
            if direct:
                driver.prepare_threshold = _PREPARED_AFTER
        except BaseException:
            await _end(connection)
            raise
        alone = None if isolation == "read committed" else self._begin
        return _Held(connection, cast("Connection", connection.sync_connection), driver, direct, alone)

    async def _ask(self, driver: psycopg.AsyncConnection[Any]) -> tuple[int, str]:
        pid, isolation, self._route.identity = await ask_in_loop(driver)
        self._asked = monotonic()
        return pid, isolation

    async def _let_go(self) -> None:
        while self._held:
            await _end(self._held.pop().connection)


@dataclass(frozen=True, slots=True)
class _Held:
    """A connection, for SQLAlchemy and as the driver has it."""

    connection: AsyncConnection
    sync: Connection
    driver: psycopg.AsyncConnection[Any]
    is_direct: bool
    """It leads to the server itself, not to a pooler."""
    begin: str | None
    """What must come before a statement for it to be READ COMMITTED. Mostly nothing: whoever owns the
    database or the role has set nothing else for all its sessions."""

    async def send(self, call: Call[T]) -> T:
        """Run one statement: one round trip, and nothing between it and the driver."""
        if self.begin is not None:
            return await self.connection.run_sync(_in_transaction, self.begin, call)
        compiled = call.statement.compiled(self.sync)
        parameters = compiled.parameters(call.values)
        try:
            cursor = await self.driver.execute(compiled.text, parameters)
            rows = await cursor.fetchall()
        except psycopg.Error as error:
            raise DBAPIError.instance(compiled.text, parameters, error, psycopg.Error) from error
        return call.answer(compiled.converted(cursor, rows))


async def _nothing(held: _Held) -> None:
    """Leave a connection as it is."""


async def _end(connection: AsyncConnection) -> None:
    # Not close() alone: it would roll back, and on a silent network nothing is to be waited for.
    await connection.invalidate()
    await connection.close()


def _begin(most_idle: float) -> str:
    """Return what begins a transaction, in one round trip."""
    bound = f"SET LOCAL idle_in_transaction_session_timeout = {round(most_idle * 1000)}"
    return f"BEGIN ISOLATION LEVEL READ COMMITTED; {bound}"


def _in_transaction(connection: Connection, begin: str, unit: Unit[T]) -> T:
    connection.exec_driver_sql(begin)
    try:
        result = unit(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(Exception):  # a connection that is broken is let go of
            connection.exec_driver_sql("ROLLBACK")
        raise
    return result


def _refused(error: ProgrammingError) -> bool:
    """Return whether the error is about the address (it comes from the driver then, without a code) or about rights."""
    return sqlstate(error) in (None, "42501")
