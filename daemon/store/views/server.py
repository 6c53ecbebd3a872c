"""What can be seen of the database itself: its server or file, and what stands in the way of leased there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from lease.database.backend import backend_of, schema_of
from lease.schema import metadata as of_leases

from ..migrations.state import VERSION_TABLE
from ..tables import metadata

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What replicas and commands need on each table."""
_MISSING = text(
    """SELECT c.relname, r.name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN unnest(CAST(:rights AS text[])) AS r (name)
    WHERE n.nspname = :schema AND c.relname = ANY (CAST(:tables AS text[]))
    AND NOT has_table_privilege(c.oid, r.name) ORDER BY 1, 2"""
)
_OLDEST = text(
    """SELECT * FROM (
    SELECT CAST(extract(epoch FROM clock_timestamp() - xact_start) AS double precision) AS age, pid,
        coalesce(nullif(application_name, ''), usename) AS who, state
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND xact_start IS NOT NULL AND backend_type = 'client backend'
    UNION ALL
    SELECT CAST(extract(epoch FROM clock_timestamp() - prepared) AS double precision), NULL, gid, 'prepared'
    FROM pg_prepared_xacts WHERE database = current_database()
    ) AS every ORDER BY age DESC LIMIT 1"""
)
_TABLES = text(
    """SELECT c.relname, c.reltuples < 0 AND pg_relation_size(c.oid) > 65536 AS bare,
        coalesce('autovacuum_enabled=false' = ANY (c.reloptions), false) AS off
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :schema AND c.relname = ANY (CAST(:tables AS text[])) ORDER BY 1"""
)
_TTLS = """SELECT DISTINCT CAST(round(extract(epoch FROM expires_at - renewed_at)) AS double precision)
    FROM {}.lease WHERE holder IS NOT NULL AND expires_at > clock_timestamp() AND name LIKE 'run/%' ORDER BY 1"""
_SERVER = text(
    """SELECT CAST(current_setting('server_version_num') AS integer) AS version,
        current_setting('server_version') AS shown, current_user AS role, pg_backend_pid() AS pid,
        pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only,
        current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on' AS autovacuum,
        current_setting('synchronous_commit') <> 'off' AS durable,
        (SELECT reset_val FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
        CAST(current_setting('max_connections') AS integer)
            - CAST(current_setting('superuser_reserved_connections') AS integer) AS most_connections,
        pg_has_role(current_user, 'pg_read_all_stats', 'MEMBER') AS sees_all,
        has_schema_privilege(:schema, 'USAGE') AS may_use_schema"""
)


@dataclass(frozen=True, slots=True)
class OldTransaction:
    """The oldest transaction that is open in a database."""

    age: float
    pid: int | None
    """None of a prepared one."""
    who: str
    state: str


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL server, as this role sees it."""

    version: int
    """170002: 17.2."""
    shown: str
    schema: str
    role: str
    pid: int
    """Of the process that answers."""
    read_only: bool
    autovacuum: bool
    durable: bool
    """Commits are on the disk before they are answered, by default."""
    statement_timeout: float | None
    """Seconds."""
    connections: int
    most_connections: int
    sees_all: bool
    """It sees the transactions of other roles."""
    missing_rights: Sequence[tuple[str, str]]
    """(table, right)"""
    may_use_schema: bool
    oldest: OldTransaction | None
    not_analyzed: Collection[str]
    """The tables that have rows, and no statistics."""
    without_autovacuum: Collection[str]
    ttls: Sequence[float]
    """Those of the leases of runs that are held, in seconds."""

    @property
    def may_read(self) -> bool:
        """Whether this role may read all tables."""
        return self.may_use_schema and all(right != "SELECT" for _, right in self.missing_rights)


def read_server(connection: Connection) -> Server | None:
    """Return what is to be seen of the server, in at most six statements; None where the database is a file."""
    if backend_of(connection).is_embedded:
        return None
    schema = schema_of(connection) or ""
    tables = sorted({table.name for table in (*metadata.tables.values(), *of_leases.tables.values())})
    found: dict[str, Any] = dict(connection.execute(_SERVER, {"schema": schema}).mappings().one())
    given = {"schema": schema, "tables": tables}
    of_version = {"schema": schema, "tables": [VERSION_TABLE], "rights": ["SELECT"]}
    asked = (given | {"rights": list(RIGHTS)}, of_version)
    missing = [(row.relname, row.name) for each in asked for row in connection.execute(_MISSING, each)]
    of_tables = connection.execute(_TABLES, given).all()
    ttls: list[float] = []
    if of_tables and ("lease", "SELECT") not in missing and found["may_use_schema"]:
        quoted = connection.dialect.identifier_preparer.quote(schema)
        ttls = list(connection.scalars(text(_TTLS.format(quoted))))
    found["statement_timeout"] = int(found["statement_timeout"]) / 1000 or None
    return Server(
        **found,
        schema=schema,
        missing_rights=missing,
        oldest=oldest_transaction(connection),
        not_analyzed=[row.relname for row in of_tables if row.bare],
        without_autovacuum=[row.relname for row in of_tables if row.off],
        ttls=ttls,
    )


def oldest_transaction(connection: Connection) -> OldTransaction | None:
    """Return the oldest transaction of another client that is open in the database; None if there is none."""
    found: Any = connection.execute(_OLDEST).mappings().one_or_none()
    return None if found is None else OldTransaction(**found)
