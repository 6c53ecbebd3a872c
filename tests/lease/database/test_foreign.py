"""What is sent over the connections of programs, each as it is: by any kind, with any type of rows that it was given."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import asyncpg
import psycopg
import psycopg2
import psycopg2.extras
import pytest
from sqlalchemy import bindparam, select, update

from lease import Grant
from lease.database.backend import POSTGRESQL, SQLITE, Backend
from lease.database.dialects import Instant, seconds_of
from lease.database.foreign import Foreign, ForeignKind, Sent, kind_of
from lease.schema import lease, of_grant
from tests.lease.stores import Tables
from tests.support.postgres import plain

pytestmark = pytest.mark.anyio

MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
KINDS: dict[str, Callable[[str], Any]] = {
    "psycopg": lambda url: psycopg.connect(url, row_factory=psycopg.rows.dict_row),
    "psycopg2": lambda url: psycopg2.connect(url, cursor_factory=psycopg2.extras.DictCursor),
}


def exchanged(over: Foreign) -> tuple[bool, Sent, Sent, bool]:
    """Whether it is in a transaction before and after, what it reads, and what came of a write."""
    before = over.is_in_transaction()
    asked = select(lease.c.token, lease.c.holder, bindparam("word", type_=lease.c.label.type)).where(
        lease.c.name == "a", seconds_of(bindparam("at", MOMENT, type_=Instant())) == MOMENT.timestamp()
    )
    read = over.send(asked, {"word": "it's 100%"})
    over.send(update(lease).where(of_grant(Grant("a", 1, "anna"))).values(granted_at=MOMENT))
    written = over.send(update(lease).where(lease.c.name == "a").values(label="by a program"))
    return before, read, written, over.is_in_transaction()


@pytest.fixture
def sqlite_connection(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = lambda _cursor, row: dict(enumerate(row))
        yield connection


def kind(connection: Any, *, may_fence: bool) -> ForeignKind:
    found = kind_of(connection)
    assert found is not None
    assert found.may_fence is may_fence
    return found


def check(over: Foreign, backend: Backend, database: str | None, found: tuple[bool, Sent, Sent, bool]) -> None:
    before, read, written, after = found
    assert (before, after) == (False, True)
    assert [tuple(row) for row in read.rows] == [(1, "anna", "it's 100%")]
    assert (list(written.rows), over.backend, over.there.database) == ([], backend, database)


@pytest.mark.parametrize("driver", KINDS)
def test_a_sync_connection_to_postgresql(postgres_tables: Tables, postgres_url: str, driver: str) -> None:
    postgres_tables.one("a")
    with closing(KINDS[driver](plain(postgres_url))) as connection:
        over = kind(connection, may_fence=driver == "psycopg").over(connection, None)
        found = exchanged(over)
        check(over, POSTGRESQL, connection.info.dbname, found)
        assert found[2].changed == 1
        assert (over.there.username, over.there.host, over.there.port) == (
            connection.info.user,
            connection.info.host,
            connection.info.port,
        )
        assert over.file() is None
        connection.commit()
    record = postgres_tables.record("a")
    assert (record.label, record.granted_at) == ("by a program", MOMENT)


async def test_a_connection_of_asyncpg(postgres_tables: Tables, postgres_url: str) -> None:
    postgres_tables.one("a")
    connection = await asyncpg.connect(plain(postgres_url))
    try:
        of_it = kind(connection, may_fence=False)
        assert of_it.work is not None
        transaction = connection.transaction()
        over = of_it.over(connection, None)
        assert not over.is_in_transaction()
        await transaction.start()
        _, *found = await of_it.work(connection, lambda it: exchanged(of_it.over(it, None)))
        check(over, POSTGRESQL, None, (False, *found))
        await transaction.commit()
    finally:
        await connection.close()
    record = postgres_tables.record("a")
    assert (record.label, record.granted_at) == ("by a program", MOMENT)


def test_a_connection_to_a_file(sqlite_url: str, sqlite_connection: sqlite3.Connection) -> None:
    with Tables(sqlite_url) as tables:
        tables.one("a")
        over = kind(sqlite_connection, may_fence=False).over(sqlite_connection, None)
        found = exchanged(over)
        check(over, SQLITE, over.file(), found)
        assert found[2].changed == 1
        assert over.file() == sqlite_url.removeprefix("sqlite:///")
        sqlite_connection.commit()
        record = tables.record("a")
        assert (record.label, record.granted_at) == ("by a program", MOMENT)


def test_a_database_in_memory_has_no_file() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        over = kind(connection, may_fence=False).over(connection, None)
        assert (over.file(), over.there.database) == ("", ":memory:")
        with over.turn(over.file()):
            assert not over.is_in_transaction()
