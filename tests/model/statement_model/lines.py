"""Transactions on a real database: each is begun, used once and ended when the test says so, and waits for nobody for long."""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from lease import LeaseLost
from lease.clock import boottime
from lease.database.backend import SCHEMA
from lease.database.driver_errors import sqlstate
from lease.errors import NeverGranted

from .leases import Answer

T = TypeVar("T")

LOCK_WAIT = 0.03
"""Seconds that a statement waits for a row: each one that is blocked costs them."""
TOO_LONG = 5
"""Seconds after which what the model says is free to be changed is not: this thread would wait for itself."""


class Line:
    """One transaction."""

    def __init__(self, connection: Connection, *, sqlite: bool) -> None:
        self._connection = connection
        self._sqlite = sqlite

    def begin(self, level: str, *, deferred: bool) -> None:
        if self._sqlite:
            self._connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")
        else:
            self._connection.execution_options(isolation_level=level)
            self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT * 1000:.0f}")

    def look(self) -> None:
        """Read something: where the level has one snapshot for all, this is it."""
        self._connection.exec_driver_sql("SELECT count(*) FROM lease").all()

    def run(self, unit: Callable[[Connection], T]) -> T | Answer:
        return answer(lambda: unit(self._connection))

    def end(self, *, commit: bool) -> None:
        word = "COMMIT" if commit else "ROLLBACK"
        try:
            if not self._sqlite:
                self._connection.commit() if commit else self._connection.rollback()
            elif self._connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
                self._connection.exec_driver_sql(word)
        finally:
            self._connection.close()


class Lines:
    """A database, as the statements' callers have it."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        options: dict[str, Any] = (
            {"isolation_level": "AUTOCOMMIT", "connect_args": {"timeout": 0}} if self.sqlite else {}
        )
        engine = create_engine(url, pool_size=4, **options)
        self.engine: Engine = engine.execution_options(schema_translate_map={None: None if self.sqlite else SCHEMA})
        self._reading = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if self.sqlite:
            self._reading.exec_driver_sql("PRAGMA journal_mode = WAL")
        else:
            self._reading.exec_driver_sql(f"SET lock_timeout = '{TOO_LONG}s'")
        self._reading.exec_driver_sql("CREATE TABLE written (name text, token bigint, holder text)")

    def line(self) -> Line:
        return Line(self.engine.connect(), sqlite=self.sqlite)

    def read(self, unit: Callable[[Connection], T]) -> T:
        return unit(self._reading)

    def lapse(self, name: str) -> None:
        """Let the ttl be over just now: a transaction that has begun before must see it too (rule 1)."""
        sql = "UPDATE lease SET expires_at = {} WHERE name = :name AND holder IS NOT NULL"
        if self.sqlite:
            self._reading.execute(text(sql.format(":now")), {"name": name, "now": boottime()})
        else:
            self._reading.execute(text(sql.format("clock_timestamp()")), {"name": name})

    def close(self) -> None:
        self._reading.close()
        self.engine.dispose()


def answer(call: Callable[[], T]) -> T | Answer:
    """Return what it returned, or what its refusal means."""
    try:
        return call()
    except NeverGranted:
        return Answer.NEVER_GRANTED
    except LeaseLost:
        return Answer.LOST
    except DBAPIError as error:
        means = _MEANING.get(sqlstate(error) or str(getattr(error.orig, "sqlite_errorname", "")))
        if means is None:
            raise
        return means


_MEANING = {
    "55P03": Answer.BLOCKED,  # lock_not_available
    "SQLITE_BUSY": Answer.BLOCKED,
    "40001": Answer.TOO_OLD,  # serialization_failure
    "SQLITE_BUSY_SNAPSHOT": Answer.TOO_OLD,
}
