"""The trigger over connections of the drivers themselves: psycopg, psycopg2, asyncpg and sqlite3."""

import sqlite3
from typing import Any

from sqlalchemy import URL, Executable

from lease.database.backend import POSTGRESQL, SQLITE
from lease.fences.drivers import question_of

from ..request import Request, Requested, Rows
from .carriage import Passage, carried, carried_async, schema_in
from .compiled import DOLLARS, NAMED, PYFORMAT

_SOMEWHERE = URL.create(POSTGRESQL.name)


def over_psycopg(connection: Any, wanted: Request, schema: str | None) -> Requested:
    def send(statement: Executable) -> Rows:
        written = PYFORMAT.write(statement, where)
        with connection.cursor(row_factory=_tuples) as cursor:
            cursor.execute(written.text.encode(), written.values or None, prepare=False)
            return cursor.fetchall() if cursor.description else ()

    where = schema_in(POSTGRESQL, schema)
    return carried(_passage(connection, wanted, _place(connection)), send)


async def over_async_psycopg(connection: Any, wanted: Request, schema: str | None) -> Requested:
    async def send(statement: Executable) -> Rows:
        written = PYFORMAT.write(statement, where)
        async with connection.cursor(row_factory=_tuples) as cursor:
            await cursor.execute(written.text.encode(), written.values or None, prepare=False)
            return await cursor.fetchall() if cursor.description else ()

    where = schema_in(POSTGRESQL, schema)
    return await carried_async(_passage(connection, wanted, _place(connection)), send)


def over_psycopg2(connection: Any, wanted: Request, schema: str | None) -> Requested:
    from psycopg2.extensions import cursor as plain  # noqa: PLC0415 - it is there, as the connection is one of its own

    def send(statement: Executable) -> Rows:
        written = PYFORMAT.write(statement, where)
        with connection.cursor(cursor_factory=plain) as cursor:
            cursor.execute(written.text, written.values or None)
            return cursor.fetchall() if cursor.description else ()

    where = schema_in(POSTGRESQL, schema)
    return carried(_passage(connection, wanted, _place(connection)), send)


async def over_asyncpg(connection: Any, wanted: Request, schema: str | None) -> Requested:
    async def send(statement: Executable) -> Rows:
        written = DOLLARS.write(statement, where)
        rows: Rows = await connection.fetch(written.text, *written.in_order)
        return rows

    where = schema_in(POSTGRESQL, schema)
    return await carried_async(_passage(connection, wanted, _SOMEWHERE), send)


def over_sqlite3(connection: sqlite3.Connection, wanted: Request, schema: str | None) -> Requested:
    def send(statement: Executable) -> Rows:
        written = NAMED.write(statement, schema_in(SQLITE, schema))
        cursor = connection.cursor()
        cursor.row_factory = None  # theirs may make anything of a row
        try:
            return cursor.execute(written.text, written.values).fetchall()
        finally:
            cursor.close()

    cursor = connection.cursor()
    cursor.row_factory = None
    (_, _, file), *_ = cursor.execute("PRAGMA database_list")
    in_transaction = question_of(connection)
    there = URL.create(SQLITE.name, database=file or ":memory:")
    return carried(Passage(wanted, SQLITE, lambda: in_transaction(connection), there), send, file=file)


def _passage(connection: Any, wanted: Request, there: URL) -> Passage:
    in_transaction = question_of(connection)
    return Passage(wanted, POSTGRESQL, lambda: in_transaction(connection), there)


def _place(connection: Any) -> URL:
    info = connection.info
    return URL.create(POSTGRESQL.name, host=info.host, port=info.port, database=info.dbname)


def _tuples(_cursor: Any) -> Any:
    """Return what makes a row of psycopg: theirs may make anything of it."""
    return tuple
