"""The database of the API: a thread with an event loop of its own, and two connections.

A slow read delays no renewal, no claim and no probe. Nothing is opened before the first request.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar

from sqlalchemy import Connection

from lease.database.backend import backend_of
from lease.database.database import OwnDatabase, Unit

from ...errors import DaemonError
from ..database_thread import DatabaseThread, Work

T = TypeVar("T")
READ_LIMIT = 5.0
"""Seconds after which the database stops a read."""
_PATIENCE = 10.0
_CONNECTIONS = 2
_MOST_WAITING = 32
_REST = 3.0
"""Times as long as it has worked, a connection rests."""
_LONGEST_REST = 1.0
_STEPS = 10_000
"""The steps of SQLite between two looks at the clock."""


class Busy(DaemonError):
    """Too many requests wait for the database already."""


class Desk:
    """Answers questions to the database at ``url``, and writes acts, on a thread of its own."""

    def __init__(self, url: str) -> None:
        self._thread = DatabaseThread(url, "api", timeout=_PATIENCE, connections=_CONNECTIONS)
        self._waiting = 0
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._apart = asyncio.Lock()
        self._asked: dict[Hashable, asyncio.Future[Any]] = {}
        """The questions of which the reading has not begun."""

    async def read(self, unit: Unit[T], question: Hashable = None) -> T:
        """Return what ``unit`` reads; raises `Busy`, and what the database raises after `READ_LIMIT`.

        Those who ask the same ``question`` before its reading has begun share the answer.
        """
        if question is None:
            return await self._done(lambda database: database.read(_limited(unit), timeout=_PATIENCE))
        if (answer := self._asked.get(question)) is None:

            def begun(connection: Connection) -> T:
                self._asked.pop(question, None)
                return unit(connection)

            answer = self._asked[question] = asyncio.ensure_future(self.read(begun))
            answer.add_done_callback(lambda done: self._forget(question, done))
        return await asyncio.shield(answer)

    async def apart(self, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which waits for something else, one after the other in a thread of its own."""
        async with self._apart:
            return await asyncio.to_thread(work)

    def _forget(self, question: Hashable, answer: asyncio.Future[Any]) -> None:
        if self._asked.get(question) is answer:
            del self._asked[question]
        if not answer.cancelled():
            answer.exception()  # it is told to those who still wait for it

    async def write(self, unit: Unit[T]) -> T:
        """Run ``unit`` in a transaction and commit it."""
        return await self._done(lambda database: database.write(unit, timeout=_PATIENCE))

    def close(self) -> None:
        """Close the connections and end the thread, which is waited for only so long."""
        self._thread.close()

    async def _done(self, work: Work[T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Busy(f"{_MOST_WAITING} requests wait for the database already; try again in a second")
        self._waiting += 1
        try:
            return await self._thread.do(lambda database: self._in_turn(work, database))
        finally:
            self._waiting -= 1

    async def _in_turn(self, work: Work[T], database: OwnDatabase) -> T:
        """Do it over one of the connections, which rests afterwards for longer than it has worked: readers in a loop
        leave time for the runs.
        """
        await self._turns.acquire()
        began = monotonic()
        try:
            return await work(database)
        finally:
            rest = min(_REST * (monotonic() - began), _LONGEST_REST)
            asyncio.get_running_loop().call_later(rest, self._turns.release)


def _limited(unit: Unit[T]) -> Unit[T]:
    """Return the same, which the database stops after `READ_LIMIT`."""

    def limited(connection: Connection) -> T:
        with _by_server(connection) if backend_of(connection).listens else _by_steps(connection):
            return unit(connection)

    return limited


@contextmanager
def _by_server(connection: Connection) -> Iterator[None]:
    bound = f"SET LOCAL statement_timeout = {READ_LIMIT * 1000:.0f}"
    # With thousands of schedules PostgreSQL takes longer to compile a statement than to run it.
    connection.exec_driver_sql(f"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; {bound}; SET LOCAL jit = off")
    try:
        yield
    finally:
        with suppress(Exception):  # a connection that is broken is let go of
            connection.exec_driver_sql("ROLLBACK")


@contextmanager
def _by_steps(connection: Connection) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    end = monotonic() + READ_LIMIT
    driver.set_progress_handler(lambda: monotonic() > end, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
