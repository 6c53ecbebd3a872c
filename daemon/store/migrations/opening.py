"""The connection of a migration: synchronous, with errors of one sentence and no password."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, select
from sqlalchemy.exc import DatabaseError, InterfaceError, ProgrammingError

from lease.database.address import describe, parse_address
from lease.database.backend import ConnectionSettings, backend_of
from lease.database.connections import connected, use_wal, write_transaction
from lease.database.dialects import lock_timeout, turn
from lease.database.driver_errors import explain, sqlstate
from lease.database.writer_gate import WriterGateBusy
from lease.errors import LeaseError, StoreUnavailable

from ...errors import DaemonError

LOCK_TIMEOUT = 60.0
"""How many seconds to wait for the migration of another replica, or for a table in use."""
CONNECTION = ConnectionSettings(connect_within=5.0, lock_wait=LOCK_TIMEOUT)
TABLE_WAIT = 2.0
"""How many seconds to wait for one table. Whoever wants it meanwhile waits behind us, so it is less than
the outage that a lease survives.
"""
_TURN = 7_401_936_208
"""The key of the lock under which one process at a time migrates; an arbitrary number."""


class MayNotMigrate(DaemonError):
    """The database user lacks the right to create tables."""


class TablesInUse(DaemonError):
    """Other transactions have had a table locked for too long; nothing was changed."""


@contextmanager
def opened_for_reading(url: str | URL) -> Iterator[Connection | None]:
    """Yield a connection, or None for a missing file, which reading must not create."""
    address = parse_address(url)
    file = backend_of(address).file(address)
    if file is not None and not Path(file).exists():
        yield None
        return
    with _explained(address, reads=True), connected(address, CONNECTION) as connection:
        yield connection


@contextmanager
def opened_for_upgrade(url: str | URL) -> Iterator[Connection]:
    """Yield a connection in a transaction that one process at a time can have; commit it at the end."""
    address = parse_address(url)
    with _explained(address), connected(address, CONNECTION) as connection:
        if (file := backend_of(address).file(address)) is not None:
            use_wal(connection.connection.driver_connection, file, LOCK_TIMEOUT)
        with write_transaction(connection, LOCK_TIMEOUT):
            connection.execute(select(turn(_TURN)).where(lock_timeout(LOCK_TIMEOUT)))
            connection.execute(select(lock_timeout(TABLE_WAIT)))
            try:
                yield connection
            except (DatabaseError, LeaseError) as error:
                if sqlstate(error) not in {"55P03", "40P01"}:  # lock_not_available, deadlock_detected
                    raise
                raise TablesInUse(
                    f"a table of {describe(connection.engine.url)} is in use by another transaction, and nothing was "
                    "migrated; wait until that has ended, or end it (pg_stat_activity shows it), and migrate again"
                ) from error


@contextmanager
def _explained(url: URL, *, reads: bool = False) -> Iterator[None]:
    try:
        yield
    except (ProgrammingError, LeaseError) as error:
        if sqlstate(error.__cause__ or error) != "42501":  # insufficient_privilege
            raise
        if reads:
            raise explain(error, url) from error
        raise MayNotMigrate(
            f"the user {url.username!r} cannot create tables in {describe(url)}; run `leased db upgrade`, "
            "or the script that `leased db sql` prints, as a user who can"
        ) from error
    except (DatabaseError, InterfaceError, WriterGateBusy, OSError) as error:  # also for a file that is not a database
        raise explain(error, url) if not isinstance(error, StoreUnavailable) else error from error
