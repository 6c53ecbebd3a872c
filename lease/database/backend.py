"""What a kind of database is and can do: one value for each kind, asked instead of its name. And the arguments of the
drivers of other people's engines, as our own connections take them.

SQL that differs stands in the dialects' modules as constructs of SQLAlchemy; what is decided
otherwise asks a `Backend`.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Dialect

from ..errors import LeaseError

SCHEMA = "public"
"""Where the tables are on PostgreSQL, unless the URL names another schema."""

FILE_ITSELF = "main"
"""What SQLite calls the file that a connection was opened for, in front of a table's name. Without it, a TEMP table
of that name on the same connection comes first.
"""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """The settings of a connection of ours; each driver takes those that it knows. Durations are in seconds."""

    application: str = "leased"
    """The name under which the server shows it."""
    connect_within: float | None = None
    """How long connecting may take; None where the caller bounds it."""
    lock_wait: float | None = None
    """How long a writer waits for the one before it."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One kind of database."""

    name: str
    """As SQLAlchemy and users' URLs name it."""
    driver: str
    """The driver of our own connections, as a URL names it."""
    isolation: Any
    """The isolation level of our own connections."""
    schema: str | None
    """Where the tables are; None where there are no schemas."""
    port: int | None
    """The port that a URL without one means."""
    is_embedded: bool
    """A file of this machine, which its first use makes, tables and all."""
    has_own_clock: bool
    """Leases expire by its own clock; otherwise by the machine's clock since its start (rule 1)."""
    has_one_writer: bool
    """One transaction at a time can write; they take turns (`lease.database.writer_gate`), and need no locks of rows."""
    has_functions: bool
    """``lease_fence`` can be called in it, from any language."""
    listens: bool
    """It can notify those who wait for a release."""
    options: Callable[[ConnectionSettings], dict[str, Any]]
    """What its driver is given to connect."""
    words: Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[str]]]
    """What its driver takes of another driver's arguments, and the names of what it cannot."""
    aliases: frozenset[str] = frozenset()
    """Other names that URLs have for it."""

    def file(self, url: URL) -> str | None:
        """Return the path of the file that several processes share; None where the database is no such file."""
        if not self.is_embedded or not url.database or url.database == ":memory:" or url.query.get("mode") == "memory":
            return None
        return path_of_uri(url.database) if url.database.startswith("file:") else url.database


def _for_psycopg(settings: ConnectionSettings) -> dict[str, Any]:
    # Not every pooler passes prepared statements; where there is none, the connection's user turns them on.
    # The encoding is a parameter of connecting, as most drivers send it, and poolers keep it for each of their clients.
    options = {"prepare_threshold": None, "application_name": settings.application, "client_encoding": "utf8"}
    return (
        options if settings.connect_within is None else {**options, "connect_timeout": round(settings.connect_within)}
    )


def _for_sqlite3(settings: ConnectionSettings) -> dict[str, Any]:
    return {} if settings.lock_wait is None else {"timeout": settings.lock_wait}


# The arguments of the drivers of other people's engines: those of PostgreSQL's in the words of libpq, which psycopg
# takes; of SQLite's none says where to connect. And the paths in SQLite's URIs.

_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_RENAMED = {"database": "dbname", "username": "user"}
_OURS = frozenset(
    {
        *("async_fallback", "prepared_statement_cache_size", "prepared_statement_name_func"),  # SQLAlchemy's
        *("command_timeout", "connection_class", "loop", "max_cacheable_statement_size", "record_class"),  # asyncpg's
        *("max_cached_statement_lifetime", "statement_cache_size", "timeout"),
        *("autocommit", "context", "cursor_factory", "prepare_threshold", "row_factory"),  # psycopg's
        *("application_name", "connection_factory", "tcp_keepalive"),  # psycopg2's and pg8000's
    }
)
"""What tells a driver how to work, not where and as whom to connect: this library decides that for its own connections.
"""
_UNLESS_SET = frozenset({"direct_tls", "ssl_context"})
"""What has no translation, unless it is not set."""


def in_words_of_libpq(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of a driver (psycopg, psycopg2, asyncpg, pg8000) as libpq takes them, and
    the names of those that it has no words for.
    """
    words: dict[str, Any] = {}
    unknown = []
    for name, value in given.items():
        if name in _OURS or value is None or (name in _UNLESS_SET and not value):
            continue
        if name == "ssl":
            words |= _ssl(value)
        elif name == "server_settings":
            words |= _options(value)
        elif callable(value) or name in _UNLESS_SET:
            unknown.append(name)
        else:
            words[_RENAMED.get(name, name)] = _joined(value) if name in ("host", "port") else value
    known = _known()
    unknown += [name for name in words if name not in known]
    return words, unknown


@cache
def _known() -> frozenset[str]:
    """Return the parameters of this machine's libpq."""
    from psycopg import pq  # noqa: PLC0415 - loaded only where it connects

    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _ssl(value: Any) -> dict[str, Any]:
    """Return asyncpg's ``ssl`` as libpq's ``sslmode``; what cannot be said so stays what it is."""
    if isinstance(value, ssl.SSLContext):
        return {"ssl (an SSLContext)": value}
    if value is True or value in ("true", "True"):
        # What ssl.create_default_context() does: the machine's own authorities, and the name of the host.
        return {"sslmode": "verify-full", "sslrootcert": ssl.get_default_verify_paths().cafile or "system"}
    mode = "disable" if value is False else getattr(value, "name", value)
    mode = str(mode).replace("_", "-")
    if mode not in _SSL_MODES:
        return {"ssl": value}
    return {"sslmode": mode}


def _options(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return asyncpg's ``server_settings`` as libpq's ``options``."""
    words = [
        f"-c {name}={_escaped(str(value))}"
        for name, value in settings.items()
        if name not in _OURS and value is not None
    ]
    return {"options": " ".join(words)} if words else {}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _joined(value: Any) -> Any:
    return ",".join(str(one) for one in value) if isinstance(value, list | tuple) else value


OURS_OF_SQLITE = frozenset(
    {
        *("autocommit", "cached_statements", "check_same_thread", "detect_types"),
        *("isolation_level", "iter_chunk_size", "timeout", "uri"),
    }
)
"""What this library decides for its own connections to SQLite."""


def in_words_of_sqlite3(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return nothing to connect with, and the names that cannot be carried over."""
    return {}, [name for name, value in given.items() if name not in OURS_OF_SQLITE and value is not None]


def path_of_uri(uri: str) -> str:
    """Return the path of a ``file:`` URI, as SQLite reads it."""
    path = uri.removeprefix("file:").partition("?")[0].partition("#")[0]
    if path.startswith("//"):
        path = "/" + path.removeprefix("//").partition("/")[2]
    return unquote(path)


# The kinds

POSTGRESQL = Backend(
    name="postgresql",
    driver="postgresql+psycopg",
    isolation="READ COMMITTED",
    schema=SCHEMA,
    port=5432,
    is_embedded=False,
    has_own_clock=True,
    has_one_writer=False,
    has_functions=True,
    listens=True,
    options=_for_psycopg,
    words=in_words_of_libpq,
    aliases=frozenset({"postgres"}),
)
SQLITE = Backend(
    name="sqlite",
    driver="sqlite+pysqlite",
    isolation="AUTOCOMMIT",  # the driver begins nothing by itself
    schema=None,
    port=None,
    is_embedded=True,
    has_own_clock=False,
    has_one_writer=True,
    has_functions=False,
    listens=False,
    options=_for_sqlite3,
    words=in_words_of_sqlite3,
)
BACKENDS = (POSTGRESQL, SQLITE)
NAMES = {name: backend for backend in BACKENDS for name in (backend.name, *backend.aliases)}


class HasDialect(Protocol):
    """An engine or a connection of SQLAlchemy, sync or async."""

    @property
    def dialect(self) -> Dialect: ...


def backend_of(database: URL | HasDialect) -> Backend:
    """Return what the database of a URL, an engine or a connection is; raises `LeaseError` for one
    that is not supported.
    """
    return backend_named(database.get_backend_name() if isinstance(database, URL) else database.dialect.name)


def schema_of(connection: Connection) -> str | None:
    """Return the schema that a connection finds the tables in; None where there are no schemas."""
    default = backend_of(connection).schema
    schemas = connection.get_execution_options().get("schema_translate_map") or {}
    return default if default is None else schemas.get(None) or default


def quoted(schema: str | None) -> str:
    """Return a schema as a prefix of names in SQL: with a dot, or empty. Its name has been checked
    (`lease.database.address`).
    """
    if schema is None:
        return ""
    return f"{schema}." if schema == SCHEMA else f'"{schema}".'


def backend_named(name: str) -> Backend:
    """Return the backend that SQLAlchemy, or a URL, calls ``name``; raises `LeaseError`."""
    if name not in NAMES:
        raise LeaseError(f"{name} is not supported; use PostgreSQL (postgresql://…) or SQLite (sqlite:///file.db)")
    return NAMES[name]
