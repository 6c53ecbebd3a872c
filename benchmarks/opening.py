"""The opening of the places for databases: files in a folder, and a PostgreSQL server, our own unless one is named."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.support.binaries import NoPostgresError, binaries
from tests.support.databases import DEFAULT_VERSION
from tests.support.postgres import PostgresServer

from .stores import PostgresqlStore, SqliteStore, Store

DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Opened:
    """The databases that could be opened."""

    stores: tuple[Store, ...]
    left_out: tuple[str, ...]
    """A sentence about each kind of database that is not there."""


def open_stores(databases: tuple[str, ...], url: str | None, folder: Path, stack: ExitStack) -> Opened:
    """Open a place for each kind of database, until ``stack`` ends. Raises `NoPostgresError` where that alone was asked for."""
    stores: list[Store] = []
    left_out: list[str] = []
    for name in databases:
        if name == "sqlite":
            stores.append(SqliteStore(folder))
            continue
        try:
            stores.append(PostgresqlStore(url or own_server(stack)))
        except NoPostgresError as missing:
            if len(databases) == 1:
                raise
            left_out.append(str(missing))
    return Opened(tuple(stores), tuple(left_out))


def own_server(stack: ExitStack) -> str:
    """Start a server whose commits are durable, until ``stack`` ends, and return its URL."""
    programs = binaries(DEFAULT_VERSION)
    stack.callback(programs.remove)
    return stack.enter_context(PostgresServer(programs, durable=True)).url()
