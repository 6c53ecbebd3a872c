"""The database of a test, a temporary SQLite file, and its clock, which moves only when the test moves it."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, update
from sqlalchemy.pool import StaticPool

import lease
import lease.statements
from lease.database.database import Unit
from lease.database.dialects import SQLITE_NOW, clock, later
from lease.durations import Duration, parse_duration
from lease.errors import StoreUnavailable
from lease.model import Grant
from lease.schema import lease as leases

from ..errors import DaemonError
from ..instants import parse_instant
from ..store.tables import metadata


class ManualTimeOfDay:
    """A wall clock that only the test moves. It decides what is due; leases go by the machine's own clock."""

    def __init__(self, instant: str | datetime) -> None:
        self._now = parse_instant(instant)

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now

    def set(self, instant: str | datetime) -> None:
        """Set the clock, forward or back: RFC 3339, or a `datetime` with a time zone."""
        self._now = parse_instant(instant)

    def advance(self, duration: Duration) -> None:
        """Move the clock forward by ``"90s"``, ``"1h"`` or a number of seconds."""
        self._now += timedelta(seconds=parse_duration(duration))


class Misuse(DaemonError, RuntimeError):
    """This package was used in a way that cannot work; the message says what to do instead."""


T = TypeVar("T")

_TAKEN_TTL = 60.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own, and is for this user only
"""A folder in memory, used if there is one: leases wait for the disk longer than for all else."""
_MOMENT = timedelta(seconds=1)
_COMPILED: dict[Any, Any] = {}
"""What SQLAlchemy has compiled, which takes longer than most tests."""


class ManualStore:
    """A database with leased's tables (see `lease.database.database.Database`), for all replicas.

    Use it as ``async with``. ``available = False`` makes every call of a replica raise `StoreUnavailable`, as an outage
    would; leases stay renewed. Jobs find it in LEASED_DATABASE_URL.
    """

    def __init__(self, at: str | datetime) -> None:
        self.clock = ManualTimeOfDay(at)
        self.available = True
        self._turn = asyncio.Lock()
        self._opened: Engine | None = None
        self._stack = ExitStack()

    async def __aenter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise Misuse(
                "replicas run only on asyncio; if anyio's pytest plugin runs your tests, "
                'let the fixture anyio_backend return "asyncio"'
            ) from None
        memory = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
        with ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory(prefix="leased-test-", dir=memory, ignore_cleanup_errors=True)
            folder = stack.enter_context(temporary)
            self._opened = self._open(Path(folder) / "leased.db")
            stack.callback(self._opened.dispose)
            stack.enter_context(_variable("LEASED_DATABASE_URL", self.url.render_as_string(hide_password=False)))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._opened = None
        self._stack.close()

    @property
    def url(self) -> URL:
        """Its URL, for programs that read it and for jobs that fence their own transactions."""
        return self._engine.url

    @property
    def identity(self) -> str | None:
        """None: the path says which file it is."""
        return None

    async def write(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """Run ``unit`` in a transaction and commit it."""
        del timeout
        async with self._turn:
            with self._connected() as connection:
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
        """Run ``unit`` without a transaction, each statement on its own."""
        del timeout
        async with self._turn:
            with self._connected() as connection:
                return unit(connection)

    async def close(self) -> None:
        """Do nothing: other replicas of the test may use it; `__aexit__` closes it."""

    async def take_over(self, name: str, holder: str = "another replica") -> Grant:
        """Grant a lease to another holder, as if it had gone stale, and return the grant."""

        def transaction(connection: Connection) -> Grant:
            this = leases.c.name == name
            connection.execute(update(leases).where(this).values(expires_at=later(clock(), -1.0)))
            (grant,) = lease.statements.grant(connection, [name], holder, _TAKEN_TTL, label=holder)
            # In the past, as the clock may stand still: a holder seen later has not died (rule 16).
            connection.execute(update(leases).where(this).values(granted_at=self.clock.now - _MOMENT))
            return grant

        return await self.write(transaction)

    @property
    def _engine(self) -> Engine:
        if self._opened is None:
            raise Misuse("this ManualStore is not open: use it as `async with ManualStore(…) as store`")
        return self._opened

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if not self.available:
            raise StoreUnavailable("the database of this test is away: the test has set available = False")
        with self._engine.connect() as connection:
            yield connection

    def _open(self, file: Path) -> Engine:
        dialect, tables = _template()
        file.write_bytes(tables)
        # No isolation level: the driver begins no transaction by itself; we send BEGIN IMMEDIATE.
        connect: Any = partial(sqlite3.connect, file, isolation_level=None, check_same_thread=False, timeout=10.0)
        engine = Engine(
            StaticPool(connect, dialect=dialect),
            dialect,
            URL.create("sqlite", database=str(file)),
            execution_options={"compiled_cache": _COMPILED},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.create_function("manual_now", 0, self._timestamp)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")  # it lives no longer than the test
            connection.execute("PRAGMA foreign_keys = ON")

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def by_the_clock_of_the_test(*call: Any) -> tuple[str, Any]:
            _connection, _cursor, statement, parameters, *_ = call
            return statement.replace(SQLITE_NOW, "manual_now()"), parameters

        return engine

    def _timestamp(self) -> float:
        return self.clock.now.timestamp()


@cache
def _template() -> tuple[Dialect, bytes]:
    """Return what all stores of this process share: the dialect, by which SQLAlchemy finds again
    what it has compiled, and a database with all tables.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        lease.create_tables(connection)
        metadata.create_all(connection)
        tables = cast("sqlite3.Connection", connection.connection.driver_connection).serialize()
    engine.dispose()
    return engine.dialect, tables


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable during the block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
