"""What is sent over the connections of programs, each as it is: with any type of rows that it was given."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import psycopg2
import psycopg2.extras
import pytest
from sqlalchemy import bindparam, select, update

from lease import Grant
from lease.database.foreign import Foreign, kind_of
from lease.schema import lease, of_grant
from tests.lease.stores import Tables
from tests.support.postgres import plain


def of_sqlite3(file: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    connection.row_factory = lambda _cursor, row: dict(enumerate(row))
    return connection


KINDS: dict[str, Callable[[str], Any]] = {
    "psycopg": lambda url: psycopg.connect(
        plain(url), row_factory=psycopg.rows.dict_row, cursor_factory=psycopg.RawCursor
    ),
    "psycopg2": lambda url: psycopg2.connect(plain(url), cursor_factory=psycopg2.extras.RealDictCursor),
    "sqlite3": lambda url: of_sqlite3(url.removeprefix("sqlite:///")),
}


def over(connection: Any) -> Foreign:
    found = kind_of(connection)
    assert found is not None
    return found.over(connection, None)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_what_a_program_on_postgresql_makes_of_parameters_and_rows_is_no_matter(postgres_url: str, driver: str) -> None:
    check(postgres_url, driver)


def test_what_a_program_on_sqlite_makes_of_parameters_and_rows_is_no_matter(sqlite_url: str) -> None:
    check(sqlite_url, "sqlite3")


def check(url: str, driver: str) -> None:
    with Tables(url) as tables, closing(KINDS[driver](url)) as connection:
        tables.one("a")
        word = bindparam("word", type_=lease.c.label.type)
        read = over(connection).send(select(lease.c.token, word).where(lease.c.name == "a"), {"word": "it's 100%"})
        assert [tuple(row) for row in read.rows] == [(1, "it's 100%")]
        written = over(connection).send(update(lease).where(of_grant(Grant("a", 1, "anna"))).values(label="theirs"))
        assert (list(written.rows), written.changed) == ([], 1)


def test_a_database_in_memory_has_no_file() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        memory = over(connection)
        assert (memory.file(), memory.there.database) == ("", ":memory:")
        with memory.turn(memory.file()):
            assert not memory.is_in_transaction()
