"""The table of leases, when one may be granted, and the SQL functions that any language can call."""

import re
from importlib import resources
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Double,
    Index,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    case,
    inspect,
    not_,
    null,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from .database.address import checked_schema
from .database.backend import SCHEMA, backend_of, quoted
from .database.dialects import Expiry, Instant, Name, any_of, clock, lock_timeout, other_boot, seconds_between, turn
from .database.driver_errors import sqlstate
from .errors import LeaseError
from .model import Grant, mark_of

metadata = MetaData()
_PATIENCE = 2.0
"""Seconds to wait for the table when columns are added: less than the tolerated outage (rule 3)."""
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
    Column("uptime", Double, comment="SQLite: the clock of expires_at at the last renewal"),
    # A plain key over what identifies a grant: each end of a grant changes it, so that it waits for
    # open fences (rule 11).
    UniqueConstraint("name", "token", "holder", name="lease_grant_key"),
    CheckConstraint("token >= 0", name="lease_token_counts_up"),
    CheckConstraint("(holder IS NULL) = (expires_at IS NULL)", name="lease_held_until"),
    # expires_at is in no index: renewals stay heap-only (rule 7).
    Index("lease_holder_idx", "holder"),
    postgresql_with={"fillfactor": "70"},
)

ADDED = ("released_at", "waiters", "broken", "uptime")
"""The columns that the first version did not have."""

ENDED = {"holder": null(), "label": null(), "boot": null(), "expires_at": null(), "released_at": clock()}
"""The values of the row of a grant that has ended."""

named = any_of(lease.c.name, bindparam("names", type_=Text()))
"""The condition that the name of a lease is one of those that the parameter has."""


def of_grant(grant: Grant) -> ColumnElement[bool]:
    """Return the condition that this very grant is in force: name, token *and* holder (rule 6)."""
    return (lease.c.name == grant.name) & (lease.c.token == grant.token) & (lease.c.holder == grant.holder)


def stale() -> ColumnElement[bool]:
    """Return the condition that a held lease may be granted to another, by the database's clock (rule 1)."""
    return or_(lease.c.expires_at <= clock(), other_boot(lease.c))


def broken_under(holder: ColumnElement[Any], token: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that this grant was broken, and its work may go on: it has not said that it has ended, and
    its last ttl is not over.
    """
    mark = mark_of(Grant("", 0, "")).holder + holder
    return and_(lease.c.holder == mark, lease.c.token == token, not_(stale()))


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
        (or_(free, other_boot(lease.c)), null()),
        else_=seconds_between(lease.c.expires_at, clock()),
    )


def functions(schema: str = SCHEMA) -> str:
    """Return the SQL that makes ``lease_fence`` on PostgreSQL."""
    template = resources.files(__package__).joinpath("functions.sql").read_text("utf-8")
    return template.replace("@schema.", quoted(schema))


def addition(dialect: Dialect, schema: str | None, name: str) -> str:
    """Return the SQL that adds the column ``name`` to a table of the first version."""
    return f"ALTER TABLE {quoted(schema)}{lease.name} ADD COLUMN {name} {lease.c[name].type.compile(dialect)}"


def create_tables(connection: Connection, schema: str | None = None) -> None:
    """Create the table of leases and its SQL functions if they are missing; several programs may call this at once.

    Call it in a migration of your own, or once when a program starts. A table of an older version gets
    the columns that it lacks; nothing else is changed or dropped. If all is up to date, any role may
    call it. ``schema`` is the schema on PostgreSQL, by default ``public``; it is created if it is missing.

    Raises `LeaseError` if the role lacks the right to create or change tables, if the table belongs to
    another program, or if other transactions have it locked for too long.
    """
    try:
        _create_tables(connection, backend_of(connection).schema if schema is None else checked_schema(schema))
    except DBAPIError as error:
        match sqlstate(error):
            case "42501":  # insufficient_privilege
                raise LeaseError(
                    "this role cannot create or migrate leased's tables; run lease.create_tables(connection), "
                    "or `leased db upgrade`, as a role that can create them or owns them"
                ) from error
            case "55P03":  # lock_not_available
                raise LeaseError(
                    f"other transactions have had the table {lease.name} locked for {_PATIENCE:g}s; call create_tables again"
                ) from error
            case _:
                raise


def create_schema(connection: Connection, schema: str | None) -> None:
    if schema is None:
        return
    known = text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
    if connection.scalar(known, {"schema": schema}) is None:
        connection.execute(text(schema_creation(schema)))


def schema_creation(schema: str) -> str:
    return f"CREATE SCHEMA IF NOT EXISTS {quoted(schema).removesuffix('.')}"


def _create_tables(connection: Connection, schema: str | None) -> None:
    # Two CREATE TABLE IF NOT EXISTS at once can still collide, so they take turns.
    connection.execute(select(turn(_TURN)))
    create_schema(connection, schema)
    lacks = _lacks(connection, schema)
    if foreign := [name for name in lacks if name not in ADDED]:
        raise LeaseError(
            f"the table {lease.name} in this database belongs to another program (it has no column {foreign[0]!r}): "
            "leased needs the name for itself; use another database"
        )
    # The option stays with the connection, which is the caller's.
    before = connection.get_execution_options().get("schema_translate_map")
    try:
        metadata.create_all(connection.execution_options(schema_translate_map={None: schema}), tables=[lease])
    finally:
        connection.execution_options(schema_translate_map=before)
    if lacks:
        _add(connection, schema, lacks)
    if schema is not None and not _has_functions(connection, schema):
        connection.execute(text(functions(schema)))


def _lacks(connection: Connection, schema: str | None) -> list[str]:
    """Return the columns that the table lacks, if there is one."""
    try:
        columns = {column["name"] for column in inspect(connection).get_columns(lease.name, schema=schema)}
    except NoSuchTableError:
        return []
    return [column.name for column in lease.c if column.name not in columns]


def _add(connection: Connection, schema: str | None, names: list[str]) -> None:
    """Add the columns, and wait for a short time only: meanwhile all renewals wait behind us."""
    if backend_of(connection).has_one_writer:
        for name in names:
            connection.execute(text(addition(connection.dialect, schema, name)))
        return
    before = connection.scalar(text("SELECT current_setting('lock_timeout')"))
    connection.execute(select(lock_timeout(_PATIENCE)))
    for name in names:
        connection.execute(text(addition(connection.dialect, schema, name)))
    connection.execute(text("SELECT set_config('lock_timeout', :before, true)"), {"before": before})


def _has_functions(connection: Connection, schema: str) -> bool:
    """Return whether the database has the functions just as they are here: to replace one takes its owner."""
    bodies = set(re.findall(r"\$function\$(.*?)\$function\$", functions(schema), re.DOTALL))
    query = text("SELECT prosrc FROM pg_catalog.pg_proc WHERE pronamespace = to_regnamespace(:schema)")
    return bodies <= set(connection.scalars(query, {"schema": quoted(schema).removesuffix(".")}))
