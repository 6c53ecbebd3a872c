"""The table of leases, when one may be granted, and the SQL functions that any language can call."""

from importlib import resources

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    case,
    inspect,
    null,
    or_,
    select,
    text,
)

from .database.backend import SCHEMA, backend_named, backend_of
from .database.contention import turn
from .database.dialects import Expiry, Instant, Name, clock, other_boot, seconds_between
from .model import Grant

metadata = MetaData()
_TURN = 5_283_047_921
"""The turn in which tables are made; any number of our own."""

lease = Table(
    "lease",
    metadata,
    Column("name", Name, primary_key=True),
    Column("token", BigInteger, nullable=False, server_default="0"),
    Column("holder", Text),
    Column("label", Text),
    Column("boot", Text, comment="SQLite: the boot by whose clock expires_at counts"),
    Column("expires_at", Expiry),
    Column("granted_at", Instant),
    Column("renewed_at", Instant),
    Column("awaited_until", Expiry, comment="until when a client of 0.1.0 waits to hear of the release"),
    Column("released_at", Expiry, comment="when it came to be free, by the clock of expires_at"),
    Column("waiters", Text, comment="JSON: the clients that wait, in their order (lease.waiters)"),
    Column("broken", Text, comment="JSON: who broke it last, when and why"),
    # A plain key over what identifies a grant: each end of a grant changes it, so that it waits for
    # open fences (rule 11).
    UniqueConstraint("name", "token", "holder", name="lease_grant_key"),
    CheckConstraint("token >= 0", name="lease_token_counts_up"),
    CheckConstraint("(holder IS NULL) = (expires_at IS NULL)", name="lease_held_until"),
    # expires_at is in no index: renewals stay heap-only (rule 7).
    Index("lease_holder_idx", "holder"),
    postgresql_with={"fillfactor": "70"},
)

ADDED = ("released_at", "waiters", "broken")
"""The columns that the first version did not have."""


def of_grant(grant: Grant) -> ColumnElement[bool]:
    """Return the condition that this very grant is in force: name, token *and* holder (rule 6)."""
    return (lease.c.name == grant.name) & (lease.c.token == grant.token) & (lease.c.holder == grant.holder)


def stale() -> ColumnElement[bool]:
    """Return the condition that a held lease may be granted to another, by the database's clock
    (rule 1).
    """
    return or_(lease.c.expires_at <= clock(), other_boot(lease.c.boot))


def free_or_stale() -> ColumnElement[bool]:
    """Return the condition that a lease may be granted."""
    return or_(lease.c.holder.is_(None), stale())


def free_for() -> ColumnElement[float | None]:
    """Return the seconds for which a lease has been free or stale, negative while it is live; NULL
    where that is not known.
    """
    free = lease.c.holder.is_(None)
    return case(
        (free & (lease.c.released_at <= clock()), seconds_between(lease.c.released_at, clock())),
        (or_(free, other_boot(lease.c.boot)), null()),
        else_=seconds_between(lease.c.expires_at, clock()),
    )


def functions(schema: str = SCHEMA) -> str:
    """Return the SQL that makes ``lease_fence`` on PostgreSQL."""
    template = resources.files(__package__).joinpath("functions.sql").read_text(encoding="utf-8")
    return template.replace("@schema", schema)


def addition(dialect: Dialect, name: str) -> str:
    """Return the SQL that adds the column ``name`` to a table of the first version."""
    schema = backend_named(dialect.name).schema
    table = lease.name if schema is None else f"{schema}.{lease.name}"
    return f"ALTER TABLE {table} ADD COLUMN {name} {lease.c[name].type.compile(dialect)}"


def create_tables(connection: Connection) -> None:
    """Create the table of leases and its SQL functions where they are missing; safe to run from
    many places at once.

    Use it in a migration of your own, or once when a program starts. A table of an older version
    gets the columns that it lacks; nothing else that exists is changed or dropped.
    """
    backend = backend_of(connection)
    # Two CREATE TABLE IF NOT EXISTS at once can still collide, so they take turns.
    connection.execute(select(turn(_TURN)))
    metadata.create_all(connection.execution_options(schema_translate_map={None: backend.schema}), tables=[lease])
    present = {column["name"] for column in inspect(connection).get_columns(lease.name, schema=backend.schema)}
    for name in ADDED:
        if name not in present:
            connection.execute(text(addition(connection.dialect, name)))
    if backend.has_functions:
        connection.execute(text(functions()))
