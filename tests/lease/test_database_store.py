"""The store in a database, where a place in the queue, a lock of a row or a lost answer is in the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import text

from lease import Grant, LeaseRecord, LeaseTiming, statements
from lease.database_store import DatabaseStore, TurnPoller
from lease.errors import SchemaMissing, StoreUnavailable
from lease.waiters import LOOK, Waiter, format_waiters
from tests.lease.stores import Tables, until
from tests.support.waiting import LIMIT

pytestmark = [pytest.mark.anyio, pytest.mark.conformance]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[DatabaseStore]:
    store = DatabaseStore(database_url, LeaseTiming())
    yield store
    await store.close()


@pytest.mark.parametrize("name", ["free", "new"])
async def test_what_others_waited_for_is_granted_to_who_queues_for_it_if_it_is_free_by_then(
    store: DatabaseStore, tables: Tables, name: str
) -> None:
    tables.release(tables.one("free", holder="ben"))
    store.awaited.add(name)
    granted = await store.grant(name, "anna", "anna's host", 60.0, queue=True)
    assert isinstance(granted, Grant)
    record = tables.record(name)
    assert (record.grant, record.label, record.waiting) == (granted, "anna's host", ())


async def test_a_place_that_is_about_to_run_out_is_kept_for_longer_by_asking_again(
    store: DatabaseStore, tables: Tables
) -> None:
    tables.one("a", holder="ben")
    tables.queue("a", holder="cleo")
    (queue,) = tables.run(lambda connection: statements.read_queues(connection, ["a"]))
    ends = format_waiters((*queue.waiting, Waiter("anna", "anna", queue.moment + LOOK / 2)))
    tables.value("UPDATE lease SET waiters = :waiting RETURNING 1", waiting=ends)
    assert isinstance(await store.grant("a", "anna", "anna", 60.0, queue=True), LeaseRecord)
    cleo, anna = tables.record("a").waiting
    assert (cleo.holder, anna.holder) == ("cleo", "anna")
    assert anna.until > queue.moment + LOOK


async def test_a_release_that_was_done_before_wakes_those_who_wait_unless_another_holds_it(
    store: DatabaseStore, tables: Tables
) -> None:
    """Its answer may have been lost, and with it who waits."""
    tables.release(tables.one("a"))
    ben = tables.one("a", holder="ben")
    tables.queue("a", holder="cleo")
    assert not await store.release(Grant("a", 1, "anna"))
    assert not store.awaited.take("a")
    tables.release(ben)
    assert not await store.release(ben)
    assert store.awaited.take("a")


async def test_a_row_that_is_locked_for_long_is_no_sign_of_a_database_that_is_away(
    postgres_url: str, postgres_tables: Tables
) -> None:
    postgres_tables.one("a", holder="ben")
    store = DatabaseStore(postgres_url, LeaseTiming())
    store._lock_wait = 0.05
    with postgres_tables.transaction() as other:
        other.execute(text("SELECT FROM lease FOR UPDATE"))
        assert await store.grant("a", "anna", "anna", 60.0, queue=True) is None
    await store.close()


async def test_a_break_where_the_tables_are_missing_says_so(empty_database_url: str) -> None:
    store = DatabaseStore(empty_database_url, LeaseTiming())
    with pytest.raises(SchemaMissing):
        await store.break_grant(Grant("a", 1, "anna"), "ben", "it hangs")
    await store.close()


class Reading:
    """What a poller reads: nothing, once it may."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.may_end = asyncio.Event()
        self.ended = 0

    async def __call__(self, names: Sequence[str]) -> dict[str, LeaseRecord]:
        self.asked.append([*names])
        try:
            await self.may_end.wait()
        finally:
            self.ended += 1
        raise StoreUnavailable("the database is away")


async def test_where_nothing_can_be_read_each_who_waits_looks_itself_and_one_who_has_left_is_passed_over() -> None:
    reading = Reading()
    poller = TurnPoller(reading)
    first = asyncio.ensure_future(poller.waiting("a", "anna")(LIMIT, 0))
    await until(lambda: reading.asked)
    left, last = (asyncio.ensure_future(poller.waiting(name, "anna")(LIMIT, 0)) for name in "bc")
    await until(lambda: len(poller._due) == 2)
    left.cancel()
    await asyncio.wait({left})
    reading.may_end.set()
    await asyncio.wait_for(asyncio.gather(first, last), LIMIT / 2)
    assert reading.asked == [["a"], ["c"]]
    await poller.close()


async def test_a_look_that_is_under_way_ends_as_the_store_is_closed() -> None:
    reading = Reading()
    poller = TurnPoller(reading)
    waiting = asyncio.ensure_future(poller.waiting("a", "anna")(LIMIT, 0))
    await until(lambda: reading.asked)
    await poller.close()
    assert reading.ended == 1
    waiting.cancel()
