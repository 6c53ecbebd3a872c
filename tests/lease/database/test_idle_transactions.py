"""A process that is paused in the middle of a transaction holds up others for a moment only (rule 11)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, text

from lease import StoreUnavailable, statements
from tests.lease.stores import Tables, opened
from tests.support.waiting import LIMIT, wait_until

pytestmark = pytest.mark.anyio

_SHOW = text("SHOW idle_in_transaction_session_timeout")
_PID = text("SELECT pg_backend_pid()")


@pytest.fixture
def tables(postgres_tables: Tables) -> Tables:
    return postgres_tables


@contextmanager
def paused_after_a_grant(url: str, timeout: float) -> Iterator[list[BaseException]]:
    """Stop a process in the middle of a transaction that has granted "a"; here it is a thread with its own loop.
    Yield what it is told when it goes on, at the end of the block.
    """
    granted, goes_on = threading.Event(), threading.Event()
    told: list[BaseException] = []

    def unit(connection: Connection) -> None:
        statements.grant(connection, ["a"], "paused", 60.0)
        granted.set()
        goes_on.wait(LIMIT)
        connection.execute(text("SELECT 1"))

    async def work() -> None:
        async with opened(url, timeout) as database:
            try:
                await database.write(unit, timeout=LIMIT)
            except StoreUnavailable as error:
                told.append(error)

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        assert granted.wait(LIMIT)
        yield told
    finally:
        goes_on.set()
        thread.join()


def test_what_a_paused_process_has_locked_is_free_again_before_it_goes_on(tables: Tables, postgres_url: str) -> None:
    tables.release(tables.one("a"))
    with paused_after_a_grant(postgres_url, 0.4) as told:
        assert tables.grant("a", holder="other") == [], "its row is locked"
        wait_until(lambda: tables.grant("a", holder="other"), "its row is free again")
    (error,) = told
    assert "idle-in-transaction timeout" in str(error)


@pytest.mark.parametrize(("timeout", "idle"), [(1.2, "1200ms"), (10.0, "2s")])
async def test_a_transaction_may_be_idle_for_as_long_as_an_attempt_may_take_and_for_two_seconds_at_most(
    postgres_url: str, timeout: float, idle: str
) -> None:
    async with opened(postgres_url, timeout) as database:
        for _ in range(10):  # no statement is prepared that begins it
            assert await database.write(lambda connection: connection.scalar(_SHOW)) == idle
        assert await database.read(lambda connection: connection.scalar(_SHOW)) == "0"


async def test_a_connection_that_was_left_in_a_transaction_is_not_used_again(postgres_url: str) -> None:
    def leave_open(connection: Connection) -> object:
        connection.exec_driver_sql("BEGIN")
        return connection.scalar(_PID)

    async with opened(postgres_url) as database:
        left = await database.read(leave_open)
        assert await database.read(lambda connection: connection.scalar(_PID)) != left
