"""The database of a test: a file of SQLite that lives as long as the test, by the clock of the test."""

import asyncio
import sqlite3
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

import lease
from lease.database.database import Unit
from lease.database.dialects import SQLITE_NOW
from lease.errors import StoreUnavailable

from ..store.tables import metadata
from .clock import ManualTimeOfDay

T = TypeVar("T")


class ManualStore:
    """A database with the tables of leased (see `lease.database.database.Database`); replicas of a test share it.

    Use it as ``async with``. ``available = False`` makes every call raise `StoreUnavailable`, as an outage would.
    """

    def __init__(self, at: str | datetime) -> None:
        self.clock = ManualTimeOfDay(at)
        self.available = True
        self._folder = tempfile.TemporaryDirectory(prefix="leased-test-", ignore_cleanup_errors=True)
        self._url = URL.create("sqlite", database=str(Path(self._folder.name) / "leased.db"))
        self._engine = self._open()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.write(lease.create_tables)
        await self.write(metadata.create_all)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._engine.dispose()
        self._folder.cleanup()

    @property
    def url(self) -> URL:
        """Where it is, for jobs that fence their own transactions."""
        return self._url

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` in a transaction and commit it."""
        del timeout
        async with self._turn:
            self._check()
            with self._engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    answer = unit(connection)
                    connection.exec_driver_sql("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        connection.exec_driver_sql("ROLLBACK")
                    raise
                return answer

    async def read(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit``, each of its statements on its own."""
        del timeout
        async with self._turn:
            self._check()
            with self._engine.connect() as connection:
                return unit(connection)

    async def close(self) -> None:
        """Leave it open: other replicas of the test may use it; `__aexit__` closes it."""

    def _check(self) -> None:
        if not self.available:
            raise StoreUnavailable("the database of this test is away, as the test has set it")

    def _open(self) -> Engine:
        # AUTOCOMMIT: the driver begins nothing by itself; BEGIN IMMEDIATE is ours.
        options = {"check_same_thread": False, "timeout": 10.0}
        engine = create_engine(self._url, poolclass=StaticPool, isolation_level="AUTOCOMMIT", connect_args=options)

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.create_function("manual_now", 0, self._now)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # it lives no longer than the test
            connection.execute("PRAGMA foreign_keys = ON")

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def by_the_clock_of_the_test(*call: Any) -> tuple[str, Any]:
            _connection, _cursor, statement, parameters, *_ = call
            return statement.replace(SQLITE_NOW, "manual_now()"), parameters

        return engine

    def _now(self) -> float:
        return self.clock.now.timestamp()
