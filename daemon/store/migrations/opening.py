"""Opening a database for a migration: one sync connection, errors as one sentence without passwords."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import DatabaseError, InterfaceError, ProgrammingError
from sqlalchemy.pool import NullPool

from lease.database.address import describe, parse_address
from lease.database.database import explain
from lease.database.sqlstate import sqlstate
from lease.database.turnstile import Turnstile, TurnstileBusy
from lease.errors import StoreUnavailable

from ...errors import DaemonError

CONNECT_TIMEOUT = 5
"""Seconds to reach the database."""
LOCK_TIMEOUT = 60
"""Seconds to wait for another replica's migration, or for a table that somebody uses."""
_TURN = 7_401_936_208
"""The advisory lock under which one migrates at a time; any number of our own."""


class MayNotMigrate(DaemonError):
    """The database's user lacks the right to make tables."""


@contextmanager
def opened_for_reading(url: str | URL) -> Iterator[Connection | None]:
    """Give a connection; None for a file of SQLite that is not there, which reading must not make."""
    address = parse_address(url)
    if address.get_backend_name() == "sqlite" and not Path(str(address.database)).exists():
        yield None
        return
    with _explained(address), _connected(address) as connection:
        yield connection


@contextmanager
def opened_for_upgrade(url: str | URL) -> Iterator[Connection]:
    """Give a connection in a transaction that one process at a time can have; commit it at the end."""
    address = parse_address(url)
    begun = _begun_on_sqlite if address.get_backend_name() == "sqlite" else _begun_on_postgresql
    with _explained(address), begun(address) as connection:
        yield connection


@contextmanager
def _begun_on_postgresql(url: URL) -> Iterator[Connection]:
    with _connected(url) as connection, connection.begin():
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
        yield connection


@contextmanager
def _begun_on_sqlite(url: URL) -> Iterator[Connection]:
    # Two that turn a new file to WAL at once would collide without waiting: that too is done in turn.
    with Turnstile(str(url.database)) as entrance:
        entrance.pass_within(LOCK_TIMEOUT)
        with _begun_in_turn(url) as connection:
            yield connection


@contextmanager
def _begun_in_turn(url: URL) -> Iterator[Connection]:
    with _connected(url) as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


@contextmanager
def _connected(url: URL) -> Iterator[Connection]:
    if url.get_backend_name() == "sqlite":
        # AUTOCOMMIT: the driver begins nothing by itself.
        engine = create_engine(
            url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"timeout": LOCK_TIMEOUT}
        )
    else:
        # Prepared statements do not pass every pooler.
        options = {"prepare_threshold": None, "connect_timeout": CONNECT_TIMEOUT, "application_name": "leased"}
        engine = create_engine(url, poolclass=NullPool, connect_args=options)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    try:
        yield
    except ProgrammingError as error:
        if sqlstate(error) != "42501":  # insufficient_privilege
            raise
        raise MayNotMigrate(
            f"the user {url.username!r} may not make tables in {describe(url)}; let one who may run "
            "`leased db upgrade`, or the script that `leased db sql` prints"
        ) from error
    except (DatabaseError, InterfaceError, TurnstileBusy, OSError) as error:  # a file that is no database, too
        raise explain(error, url) if not isinstance(error, StoreUnavailable) else error from error
