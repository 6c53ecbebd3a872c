"""SQLite: how long its connections wait, and what is waited for before they are closed."""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url

from lease import StoreUnavailable
from lease.database.opening import open_database
from lease.database.wires import WireFailed
from lease.statements import granting, reading
from tests.support.waiting import LIMIT

pytestmark = pytest.mark.anyio


def path_of(url: str) -> Path:
    return Path(make_url(url).database or "")


async def test_for_a_writer_that_takes_no_turn_an_attempt_waits_and_a_wire_does_not(sqlite_url: str) -> None:
    """As the `sqlite3` command: it knows no writer gate. Who asks over a wire cannot be interrupted meanwhile."""
    database = open_database(sqlite_url, timeout=LIMIT)
    wire = await database.wire()
    assert wire is not None
    waits = database.read(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout").scalar())
    assert await waits == LIMIT * 1000
    with closing(sqlite3.connect(path_of(sqlite_url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(LIMIT / 2):
            with pytest.raises(WireFailed):
                await wire.send_in_loop(granting("a", "anna", 60.0))
    assert await wire.send_in_loop(reading(["a"])) == {}
    wire.close(LIMIT)
    await database.close()


async def test_no_wire_is_made_to_a_file_that_was_removed(sqlite_url: str) -> None:
    database = open_database(sqlite_url, timeout=LIMIT)
    await database.read_alone(reading(["a"]))
    path_of(sqlite_url).unlink()
    with pytest.raises(OSError, match="its file was removed while it was in use"):
        await database.wire()
    assert not path_of(sqlite_url).exists()
    await database.close()


async def test_a_call_that_was_given_up_is_waited_for_before_its_connection_is_closed(sqlite_url: str) -> None:
    database = open_database(sqlite_url, timeout=LIMIT)
    begun, may_go_on, ends = threading.Event(), threading.Event(), list[object]()

    def take_too_long(connection: Connection) -> None:
        begun.set()
        may_go_on.wait(LIMIT)
        ends.append(connection.exec_driver_sql("SELECT 1").scalar())

    call = asyncio.create_task(database.read(take_too_long))
    await asyncio.to_thread(begun.wait, LIMIT)
    call.cancel()
    end = asyncio.create_task(database.close())
    await asyncio.wait({call})
    asyncio.get_running_loop().call_soon(may_go_on.set)
    await end
    assert ends == [1]
    assert not path_of(f"{sqlite_url}-wal").exists()  # the last connection that is closed removes it


async def test_it_is_closed_at_once_although_closing_waits_for_a_thread_of_the_event_loop(sqlite_url: str) -> None:
    database, let_go = open_database(sqlite_url, timeout=LIMIT), threading.Event()
    await database.read_alone(reading(["a"]))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    others = loop.run_in_executor(None, let_go.wait, LIMIT)
    end = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    end.cancel()  # as whoever has no more patience does
    try:
        with pytest.raises(StoreUnavailable, match="shut down"):
            await database.read_alone(reading(["a"]))
    finally:
        let_go.set()
    await others
    await database.close()
