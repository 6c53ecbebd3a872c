"""SQLite: one writer at a time, in turn, on threads of its own."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DatabaseError

from ..errors import LeaseError
from ..threads import LastingThreads
from .address import identity_of
from .backend import ConnectionSettings
from .connections import Route, make_engine, use_wal, write_transaction
from .database import OwnDatabase, Unit
from .driver_errors import explain
from .held.statement import OWN
from .wires import Wire
from .wires.of_sqlite3 import Sqlite3Wire
from .writer_gate import WriterGateBusy

T = TypeVar("T")

OLDEST = (3, 35)
"""The first version with RETURNING."""
_SOON = 0.1
"""Seconds for which a wire waits for another writer at most: its caller cannot be interrupted
meanwhile, and the library's own thread can wait for longer.
"""


class SqliteDatabase(OwnDatabase):
    """A few connections to one file, in WAL mode."""

    def __init__(self, route: Route, *, timeout: float, connections: int, application: str) -> None:
        """``application`` is what only a server can show."""
        del application
        super().__init__(route, timeout=timeout, connections=connections)
        if sqlite3.sqlite_version_info < OLDEST:
            raise LeaseError(f"this Python has SQLite {sqlite3.sqlite_version}, but leased needs 3.35 or later")
        self._engine = _engine(route.url, timeout)
        self._of_thread = threading.local()
        self._held: list[Connection] = []
        self._threads = LastingThreads(connections, "lease-sqlite")

    async def write(self, unit: Unit[T], *, timeout: float | None = None, first: bool = False) -> T:
        return await self._bounded(partial(self._write, unit), timeout, first=first)

    write_alone = write
    """Its turn to write comes with a transaction."""

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        return await self._bounded(lambda _: self._read(unit), timeout)

    read_alone = read

    async def connect(self) -> None:
        """Do nothing: no server limits how many there are."""

    async def wire(self) -> Wire | None:
        self._refuse_removed()
        engine = _engine(self._url, min(self._timeout, _SOON))
        return await asyncio.get_running_loop().run_in_executor(
            None, Sqlite3Wire, engine, str(self._url.database), self._file
        )

    async def close(self) -> None:
        # A call that was given up may still be in its thread; what it holds is closed with the
        # rest. Each of its waits is bounded.
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        for connection in self._held:
            connection.close()

    async def _bounded(self, attempt: Callable[[float], T], timeout: float | None, *, first: bool = False) -> T:
        seconds = self._timeout if timeout is None else timeout
        task = await self._begun(attempt, seconds, first=first)
        done, _ = await asyncio.wait({task}, timeout=seconds)  # a wait for a thread was no attempt
        if done:
            self._capacity.answered()
            try:
                return task.result()
            except OSError as error:  # no thread could be started for it
                raise explain(error, self._url) from error
        # The thread ends by itself (every wait in it is bounded); whether it finishes the work is
        # not known.
        raise explain(TimeoutError(f"no answer within {seconds:g}s"), self._url)

    async def _begun(self, attempt: Callable[[float], T], seconds: float, *, first: bool) -> "asyncio.Future[T]":
        """Begin it in a thread that nobody else needs."""
        try:
            await self._capacity.take(first=first)
        except TimeoutError as error:
            raise explain(error, self._url) from None
        try:
            task = asyncio.get_running_loop().run_in_executor(self._threads, self._explained, attempt, seconds)
        except BaseException as error:
            self._capacity.give_back()
            if isinstance(error, RuntimeError):  # it was closed while this waited for its turn
                raise explain(error, self._url) from error
            raise
        # When it took too long, or the caller was cancelled, nobody asks what came of it.
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        task.add_done_callback(lambda _: self._capacity.give_back())
        return task

    def _explained(self, attempt: Callable[[float], T], seconds: float) -> T:
        try:
            return attempt(seconds)
        except (sqlite3.Error, DatabaseError, WriterGateBusy, OSError) as error:
            if isinstance(getattr(error, "orig", None), sqlite3.IntegrityError):
                raise
            raise explain(error, self._url) from error

    def _write(self, unit: Unit[T], seconds: float) -> T:
        connection = self._connection()
        with write_transaction(connection, seconds):
            return unit(connection)

    def _read(self, unit: Unit[T]) -> T:
        return unit(self._connection())

    def _connection(self) -> Connection:
        """Return the connection of this thread, which is held until the database is closed, or until another file is
        there in its place: a lease in a file that was moved away keeps nobody out. Only the first of all makes a file.
        """
        held: Connection | None = getattr(self._of_thread, "connection", None)
        if held is not None and self._of_thread.file != self._file():
            self._held.remove(held)
            held.close()
            held = self._of_thread.connection = None
        if held is None:
            self._refuse_removed()
            held = self._of_thread.connection = self._engine.connect()
            self._held.append(held)
            self._of_thread.file = self._file()
            self._route.identity = None if self._of_thread.file is None else identity_of(self._of_thread.file)
        return held

    def _refuse_removed(self) -> None:
        """Make no second file where the one that was in use is gone: it would be empty, and whoever has made
        tables in it would be granted what is held.
        """
        if self._route.identity is not None and self._file() is None:
            raise OSError("its file was removed while it was in use; put it back, or restore a backup of it")

    def _file(self) -> tuple[int, int] | None:
        """Return which file the database is now; None where there is none."""
        with suppress(FileNotFoundError):
            found = os.stat(str(self._url.database))  # noqa: PTH116 - before each unit of work, and a Path costs more
            return found.st_dev, found.st_ino
        return None


def _engine(url: URL, timeout: float) -> Engine:
    engine = make_engine(url, ConnectionSettings(lock_wait=timeout))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        use_wal(connection, str(url.database), timeout)
        connection.execute("PRAGMA foreign_keys = ON").close()

    return engine.execution_options(**{OWN: {}})
