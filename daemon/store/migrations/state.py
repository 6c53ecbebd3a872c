"""The revision that a database is at, and whether this version of the package can work with it."""

from sqlalchemy import URL, Column, Connection, MetaData, Table, Text, inspect, select

from lease.database.address import describe, parse_address
from lease.database.backend import backend_named, backend_of

from ...errors import SchemaNotReady
from .opening import opened_for_reading

REVISIONS = ("0001",)
"""All revisions that this package knows, the newest last."""

VERSION_TABLE = "leased_version"
"""Alembic's table of versions, under a name of our own: the user's own alembic may share the
database.
"""


class TablesMissing(SchemaNotReady):
    """There are no tables yet."""


class SchemaTooOld(SchemaNotReady):
    """A migration is due."""


class SchemaTooNew(SchemaNotReady):
    """A newer version of the package has been here."""


def schema_of(dialect: str) -> str | None:
    """Return the schema that the tables are in, where SQLAlchemy calls the kind of database
    ``dialect``.
    """
    return backend_named(dialect).schema


def current(url: str | URL) -> str | None:
    """Return the revision that the database is at, or None when it has no tables; raises
    `StoreUnavailable`.
    """
    with opened_for_reading(url) as connection:
        return None if connection is None else revision_of(connection)


def check(database: str | URL | Connection) -> None:
    """Raise `TablesMissing`, `SchemaTooOld` or `SchemaTooNew` unless the tables are those of this
    package.
    """
    if isinstance(database, Connection):
        refuse_other_than_newest(revision_of(database), database.engine.url)
        return
    with opened_for_reading(database) as connection:
        found = None if connection is None else revision_of(connection)
        refuse_other_than_newest(found, database)


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None."""
    schema = backend_of(connection).schema
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
            f"the database {_shown(url)} has the tables of an older version of leased (revision {revision}, "
            f"{REVISIONS[-1]} is needed); bring them up to date with `leased db upgrade`"
        )


def refuse_newer(revision: str | None, url: str | URL) -> None:
    if revision is not None and revision not in REVISIONS:
        raise SchemaTooNew(
            f"the database {_shown(url)} has the tables of a newer version of leased (revision {revision}, this one "
            f"knows {REVISIONS[-1]} at most); upgrade the package: pip install --upgrade leased"
        )


def _shown(url: str | URL) -> str:
    return describe(parse_address(url))
