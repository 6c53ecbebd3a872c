"""The revision of a database, whether this version of leased can work with it, and the upgrade, on a database or as a
script. Errors are of one sentence, with no password.
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Column, Connection, MetaData, Table, Text, inspect, select
from sqlalchemy.exc import DatabaseError, InterfaceError, ProgrammingError

from lease.database.address import describe, parse_address
from lease.database.backend import ConnectionSettings, backend_named, backend_of, schema_of
from lease.database.connections import connected, use_wal, write_transaction
from lease.database.dialects import lock_timeout, turn
from lease.database.driver_errors import explain, sqlstate
from lease.database.writer_gate import WriterGateBusy
from lease.errors import LeaseError, StoreUnavailable
from lease.schema import create_schema, schema_creation

from ...errors import DaemonError, SchemaNotReady

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

REVISIONS = tuple(f"{number:04}" for number in range(1, 22))
"""All revisions that this version of leased knows, newest last."""

VERSION_TABLE = "leased_version"
"""Alembic's version table, under a name of our own, because users may run alembic on the same database."""

LOCK_TIMEOUT = 60.0
"""How many seconds to wait for the migration of another replica, or for a table in use."""
CONNECTION = ConnectionSettings(connect_within=5.0, lock_wait=LOCK_TIMEOUT)
TABLE_WAIT = 2.0
"""How many seconds to wait for one table. Whoever wants it meanwhile waits behind us, so it is less than
the outage that a lease survives.
"""
_TURN = 7_401_936_208
"""The key of the lock under which one process at a time migrates; an arbitrary number."""

FOLDER = Path(__file__).parent
_AGAIN_AFTER = 1.0
"""Seconds for those who waited behind us for a table."""


class TablesMissing(SchemaNotReady):
    """There are no tables yet."""


class SchemaTooOld(SchemaNotReady):
    """The tables are those of an older version."""


class SchemaTooNew(SchemaNotReady):
    """The tables are those of a newer version."""


class MayNotMigrate(DaemonError):
    """The database user lacks the right to create tables."""


class TablesInUse(DaemonError):
    """Other transactions have had a table locked for too long; nothing was changed."""


def schema_name(context: "MigrationContext") -> str | None:
    """Return the schema of the tables in a migration, or None where there are no schemas."""
    return context.version_table_schema


def prepare(url: str | URL) -> None:
    """Create or migrate the tables of an embedded database; check those of any other.

    Call it before anything is started.
    """
    if backend_of(parse_address(url)).is_embedded:
        upgrade(url)
    else:
        check(url)


def upgrade(url: str | URL) -> tuple[str, ...]:
    """Create the tables, or bring them up to date; return the revisions that were applied.

    It is all one transaction; of several processes at once, one applies the revisions and the
    others find them applied. It waits for a table that is in use for a moment only, and then tries
    again. Raise `SchemaTooNew`, `MayNotMigrate`, `TablesInUse` or `StoreUnavailable`.
    """
    until = monotonic() + LOCK_TIMEOUT
    while True:
        try:
            with opened_for_upgrade(url) as connection:
                before = revision_of(connection)
                refuse_newer(before, url)
                if before == REVISIONS[-1]:
                    return ()
                create_schema(connection, schema_of(connection))
                _run_alembic("head", connection=connection)
            return REVISIONS if before is None else REVISIONS[REVISIONS.index(before) + 1 :]
        except TablesInUse:
            if monotonic() > until:
                raise
        sleep(_AGAIN_AFTER)


def sql(dialect: str, since: str | None = None, schema: str | None = None) -> str:
    """Return a script for ``postgresql`` or ``sqlite`` that applies the revisions after ``since``,
    or all of them; on PostgreSQL to the tables in ``schema``.
    """
    script = io.StringIO()
    backend = backend_named(dialect)
    if schema not in (None, backend.schema) and not since:
        script.write(f"{schema_creation(schema)};\n\n")
    _run_alembic(f"{since}:head" if since else "head", script, backend=backend, schema=schema or backend.schema)
    return script.getvalue()


def _run_alembic(revision: str, script: io.StringIO | None = None, **attributes: Any) -> None:
    """Apply the migrations up to ``revision``, or write them to ``script``; alembic logs nothing of its parts and steps."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # Slow to import, and not needed while the tables are up to date.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        config = Config() if script is None else Config(output_buffer=script)
        config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
        config.attributes.update(attributes)
        command.upgrade(config, revision, sql=script is not None)
    finally:
        logger.setLevel(level)


def current(url: str | URL) -> str | None:
    """Return the revision of the database, or None if it has no tables.

    Raise `StoreUnavailable` if it cannot be reached.
    """
    with opened_for_reading(url) as connection:
        return None if connection is None else revision_of(connection)


def check(database: str | URL | Connection) -> None:
    """Raise `TablesMissing`, `SchemaTooOld` or `SchemaTooNew` unless the tables are those of this version."""
    if isinstance(database, Connection):
        refuse_other_than_newest(revision_of(database), database.engine.url)
    else:
        refuse_other_than_newest(current(database), database)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the database, or None if it has no tables."""
    schema = schema_of(connection)
    if not inspect(connection).has_table(VERSION_TABLE, schema=schema):
        return None
    versions = Table(VERSION_TABLE, MetaData(), Column("version_num", Text), schema=schema)
    return connection.scalar(select(versions.c.version_num))


def refuse_other_than_newest(revision: str | None, url: str | URL) -> None:
    if revision is None:
        raise TablesMissing(
            f"the database {_shown(url)} does not have leased's tables; create them with `leased db upgrade`"
        )
    refuse_newer(revision, url)
    if revision != REVISIONS[-1]:
        raise SchemaTooOld(
            f"the database {_shown(url)} has the tables of an older version of leased (revision {revision}; "
            f"{REVISIONS[-1]} is needed); bring them up to date with `leased db upgrade`"
        )


def refuse_newer(revision: str | None, url: str | URL) -> None:
    if revision is not None and revision not in REVISIONS:
        raise SchemaTooNew(
            f"the database {_shown(url)} has the tables of a newer version of leased (revision {revision}; this "
            f"version knows {REVISIONS[-1]} at most); install that version of leased, or a later one"
        )


def _shown(url: str | URL) -> str:
    return describe(parse_address(url))


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
