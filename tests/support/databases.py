"""The databases of the tests: one server per session, a migrated template, a copy per test."""

import contextlib
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from daemon.store import migrations

from .binaries import NoPostgresError, binaries
from .postgres import PostgresServer, plain, query

VARIABLE = "LEASED_TEST_POSTGRES"
IMAGE = "postgres:17"
VERSIONS = ("16", "17", "18")
DEFAULT_VERSION = "18"
# Any number of our own: workers of one session take turns at making the template.
TEMPLATE_LOCK = 7_236_150_414


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
    return Server(stack.enter_context(PostgresServer(programs)).url(), template, str(programs.folder))


def was_chosen() -> bool:
    """Return whether a PostgreSQL was requested: then its absence is an error."""
    return bool(os.environ.get(VARIABLE))


@contextlib.contextmanager
def fresh_database(server: Server, template: str | None = None) -> Iterator[str]:
    """Create a database, a copy of `template` or empty; drop it at the end, even while in use."""
    name = f"leased_test_{uuid.uuid4().hex[:12]}"
    if template is None:
        _admin(server.url, "CREATE DATABASE {}", name)
    else:
        _admin(server.url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield database_url(server.url, name)
    finally:
        drop_database(server.url, name)


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
