"""The fence on SQLite in a transaction that began by itself, and so has no lock of its own (rule 11)."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from lease import Grant, LeaseError, fence
from lease.database.writer_gate import WriterGate
from tests.lease.stores import Tables, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def tables(sqlite_url: str) -> Iterator[Tables]:
    with Tables(sqlite_url) as tables:
        yield tables


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    """An engine that begins its transactions as SQLAlchemy's documentation advises for SQLite."""
    engine = create_engine(sqlite_url, poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    yield engine
    engine.dispose()


def can_write(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def test_from_the_fence_on_nobody_else_can_write(tables: Tables, engine: Engine, sqlite_url: str) -> None:
    """And the mistake of a fence that reads: a SELECT locks nothing there."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    grant = tables.one("a")
    with engine.begin() as connection:
        assert can_write(path)
        fence(connection, grant)
        assert not can_write(path)
    assert can_write(path)


def test_a_connection_may_have_more_than_the_main_database(tables: Tables, engine: Engine, tmp_path: Path) -> None:
    """Temporary tables, to which `create_all` looks too, and files that are attached."""
    grant = tables.one("a")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ATTACH '{tmp_path / 'other.db'}' AS other")
        connection.exec_driver_sql("CREATE TEMPORARY TABLE mine (id INTEGER)")
        connection.rollback()
        with connection.begin():
            fence(connection, grant)


@pytest.mark.parametrize("how", ["mode=ro", "query_only"])
def test_a_connection_that_may_only_read_is_told_so(tables: Tables, sqlite_url: str, tmp_path: Path, how: str) -> None:
    grant = tables.one("a")
    read_only = create_engine(f"sqlite:///file:{tmp_path / 'leased.db'}?mode=ro&uri=true", poolclass=NullPool)
    with (read_only if how == "mode=ro" else create_engine(sqlite_url, poolclass=NullPool)).begin() as connection:
        if how == "query_only":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        with pytest.raises(LeaseError, match="can only read"):
            fence(connection, grant)


def test_a_fence_that_another_writer_keeps_waiting_fails_as_any_write_does(tables: Tables, sqlite_url: str) -> None:
    """It is no loss, and no mistake of the program's."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    engine = create_engine(sqlite_url, poolclass=NullPool, connect_args={"timeout": 0})
    grant = tables.one("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with engine.begin() as connection, pytest.raises(OperationalError, match="database is locked"):
            fence(connection, grant)


async def test_an_event_loop_goes_on_while_a_fence_in_it_waits_for_its_turn(
    tables: Tables, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = tables.one("a")
    looks: list[bool] = []
    pass_now = WriterGate.pass_now

    def watched(entrance: WriterGate) -> bool:
        looks.append(pass_now(entrance))
        return looks[-1]

    engine = create_async_engine(sqlite_url.replace("sqlite", "sqlite+aiosqlite", 1), poolclass=NullPool)
    with WriterGate(sqlite_url.removeprefix("sqlite:///")) as other:
        assert other.pass_now()
        monkeypatch.setattr(WriterGate, "pass_now", watched)
        fencing = asyncio.ensure_future(fenced(engine, grant))
        await until(lambda: len(looks) > 1)
        assert not any(looks)
    await fencing
    await engine.dispose()


async def fenced(engine: AsyncEngine, grant: Grant) -> None:
    async with engine.begin() as connection:
        await fence(connection, grant)
