"""The revision of a database, and whether this version of leased can work with it."""

from typing import TYPE_CHECKING

from sqlalchemy import URL, Column, Connection, MetaData, Table, Text, inspect, select

from lease.database.address import describe, parse_address
from lease.database.backend import schema_of

from ...errors import SchemaNotReady
from .opening import opened_for_reading

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

REVISIONS = tuple(f"{number:04}" for number in range(1, 22))
"""All revisions that this version of leased knows, newest last."""

VERSION_TABLE = "leased_version"
"""Alembic's version table, under a name of our own, because users may run alembic on the same database."""


class TablesMissing(SchemaNotReady):
    """There are no tables yet."""


class SchemaTooOld(SchemaNotReady):
    """The tables are those of an older version."""


class SchemaTooNew(SchemaNotReady):
    """The tables are those of a newer version."""


def schema_name(context: "MigrationContext") -> str | None:
    """Return the schema of the tables in a migration, or None where there are no schemas."""
    return context.version_table_schema


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
        return
    with opened_for_reading(database) as connection:
        found = None if connection is None else revision_of(connection)
        refuse_other_than_newest(found, database)


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
