"""Each kind of connection in which a program may request a run: those that a fence takes, and further drivers."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import psycopg2
from sqlalchemy import make_url

from tests.lease.fences import connections
from tests.lease.fences.connections import AUTOCOMMIT, Caller, Opening, settled


class AsyncpgCaller(Caller):
    """A program with a connection of asyncpg, on which each statement commits unless a transaction is begun."""

    async def commit(self) -> None:
        await self.connection.execute("COMMIT")


class Sqlite3Caller(Caller):
    """A program with a connection of sqlite3."""

    async def execute(self, sql: str) -> None:
        self.connection.execute(sql)


@asynccontextmanager
async def _psycopg2(url: str, level: str | None) -> AsyncIterator[Caller]:
    connection = psycopg2.connect(_plain(url))
    connection.autocommit = level == AUTOCOMMIT
    try:
        yield Caller(connection)
    finally:
        connection.close()


@asynccontextmanager
async def _asyncpg(url: str, level: str | None) -> AsyncIterator[Caller]:
    connection = await asyncpg.connect(_plain(url))
    if level != AUTOCOMMIT:
        await connection.execute("BEGIN")
    try:
        yield AsyncpgCaller(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def _sqlite3(url: str, level: str | None) -> AsyncIterator[Caller]:
    connection = sqlite3.connect(
        make_url(url).database or "", isolation_level=None if level == AUTOCOMMIT else "DEFERRED"
    )
    connection.row_factory = sqlite3.Row
    try:
        yield Sqlite3Caller(connection)
    finally:
        connection.close()


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


POSTGRESQL: dict[str, Opening] = {
    **connections.POSTGRESQL,
    "psycopg2.connection": _psycopg2,
    "asyncpg.Connection": _asyncpg,
}
SQLITE: dict[str, Opening] = {**connections.SQLITE, "sqlite3.Connection": _sqlite3}

__all__ = ["AUTOCOMMIT", "POSTGRESQL", "SQLITE", "Caller", "Opening", "settled"]
